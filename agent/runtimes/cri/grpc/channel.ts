import { CRI_HOST } from "../../../../core/parts/mod.ts";
import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  AppError,
  type Clock,
  errorText,
  mib,
  type Ms,
  patientTimer,
} from "../../../../core/base/mod.ts";
import { LinkedAbort } from "../../linked_abort.ts";
import { encodeFrame, FrameDecoder } from "./frame.ts";
import { grpcError } from "./status.ts";

/** The longest answer that is read, as the kubelet's own limit. */
const MAX_ANSWER = mib(16);

/** Options of {@linkcode GrpcChannel}. */
export interface GrpcChannelOptions {
  /** Path of the unix socket. */
  readonly socketPath: string;
  readonly clock: Clock;
  /** Who answers there, in errors. @default {"container runtime"} */
  readonly peer?: string;
}

/** Options of one call. */
export interface CallOptions {
  readonly signal: AbortSignal;
  /** After it the call fails with Timeout; without it, only `signal` ends the call. */
  readonly timeout?: Ms;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * gRPC calls over `fetch` on a unix socket: one HTTP/2 connection, made when a call needs it and made
 * anew after it broke. `fetch` shows no trailers, so a call counts as answered when its message has
 * arrived whole; a failed one arrives as headers alone (see docs/decisions/003-cri-over-fetch.md).
 */
export class GrpcChannel implements Disposable {
  readonly #options: GrpcChannelOptions;
  readonly #client: Deno.HttpClient;
  readonly #peer: string;
  #closed = false;

  constructor(options: GrpcChannelOptions) {
    this.#options = options;
    this.#peer = options.peer ?? "container runtime";
    this.#client = Deno.createHttpClient({
      proxy: { transport: "unix", path: options.socketPath },
      http1: false,
      http2: true,
    });
  }

  /**
   * One request, one answer.
   *
   * @throws {AppError} ServiceUnavailable when the peer cannot be reached or the connection breaks,
   * Timeout, RequestEntityTooLarge, or what the peer's status says.
   */
  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
  ): Promise<MessageShape<O>> {
    let answer: MessageShape<O> | undefined;
    // Read to the end: leaving earlier would reset the stream under a peer that has answered.
    for await (const message of this.#call(method, request, options)) answer ??= message;
    if (answer) return answer;
    throw this.#broken(method.name, "the answer ended before its message");
  }

  /**
   * One request, answers until the peer ends the stream, `signal` aborts or the reader stops. Most
   * peers send nothing, not even headers, before the first answer.
   *
   * @throws {AppError} as {@linkcode GrpcChannel.unary}.
   */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
  ): AsyncGenerator<MessageShape<O>> {
    return this.#call(method, request, options);
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.close();
  }

  async *#call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O> | DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
  ): AsyncGenerator<MessageShape<O>> {
    const { timeout } = options;
    if (this.#closed) {
      throw new AppError("ServiceUnavailable", `The client of the ${this.#peer} is closed`);
    }
    options.signal.throwIfAborted();
    let whole = false;
    using stop = new LinkedAbort(options.signal);
    using _limit = timeout === undefined ? undefined : patientTimer(
      this.#options.clock,
      timeout,
      () => stop.abort(this.#timedOut(method.name, timeout)),
    );
    try {
      const body = toBinary(method.input, create(method.input, request));
      const response = await this.#post(method, body, options, stop.signal);
      const decoder = new FrameDecoder(MAX_ANSWER, this.#peer);
      for await (const chunk of chunks(response, stop.signal)) {
        for (const message of decoder.push(chunk)) yield fromBinary(method.output, message);
      }
      stop.signal.throwIfAborted();
      if (!decoder.atBoundary) throw this.#broken(method.name, "the answer ended in a message");
      whole = true;
    } catch (error) {
      if (error instanceof AppError) throw error;
      stop.signal.throwIfAborted();
      throw this.#broken(method.name, errorText(error), error);
    } finally {
      // Also ends the exchange when the caller stops reading early.
      if (!whole) stop.abort();
    }
  }

  async #post(
    method: DescMethodUnary | DescMethodServerStreaming,
    message: Uint8Array,
    options: CallOptions,
    signal: AbortSignal,
  ): Promise<Response> {
    const { timeout } = options;
    const response = await fetch(`http://${CRI_HOST}/${method.parent.typeName}/${method.name}`, {
      method: "POST",
      client: this.#client,
      headers: {
        "content-type": "application/grpc",
        te: "trailers",
        // Milliseconds, at most eight digits (gRPC over HTTP2, "Timeout").
        ...(timeout === undefined
          ? {}
          : { "grpc-timeout": `${Math.min(Math.ceil(timeout), 99_999_999)}m` }),
        ...options.headers,
      },
      body: encodeFrame(message),
      signal,
    });
    const status = response.headers.get("grpc-status");
    const error = status === null ? this.#notGrpc(method.name, response) : grpcError(
      { method: method.name, peer: this.#peer },
      status,
      response.headers.get("grpc-message"),
    );
    if (!error) return response;
    await response.body?.cancel();
    throw error;
  }

  #broken(method: string, why: string, cause?: unknown): AppError {
    const { socketPath } = this.#options;
    return new AppError(
      "ServiceUnavailable",
      `Cannot finish ${method} on ${socketPath} (${why}); check that the ${this.#peer} runs`,
      { cause },
    );
  }

  #timedOut(method: string, timeout: Ms): AppError {
    return new AppError(
      "Timeout",
      `The ${this.#peer} did not answer ${method} within ${timeout / 1000} s`,
    );
  }

  /** Whether whatever answered on the socket speaks gRPC at all. */
  #notGrpc(method: string, response: Response): AppError | undefined {
    const type = response.headers.get("content-type") ?? "none";
    if (response.status === 200 && type.startsWith("application/grpc")) return undefined;
    return new AppError(
      "ServiceUnavailable",
      `The peer answered ${method} with HTTP ${response.status} and content type ${type}; ` +
        `the socket is not that of a ${this.#peer}`,
    );
  }
}

/**
 * The body's bytes until it ends or `signal` aborts. The abort is brought to the reader by hand: it
 * does not reach a read that waits when the answer has been streaming for some seconds.
 */
async function* chunks(response: Response, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  const onAbort = (): void => void reader.cancel(signal.reason).catch(() => {});
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
  } finally {
    signal.removeEventListener("abort", onAbort);
    await reader.cancel().catch(() => {});
  }
}
