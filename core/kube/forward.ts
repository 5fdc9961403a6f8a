import { AppError, type Clock, deadline, errorText, type Ms, seconds } from "../base/mod.ts";
import { heeding } from "./body.ts";
import type { KubeEndpoint } from "./config.ts";
import { Connection } from "./connection.ts";

/** Options of {@linkcode Forwarder}. */
export interface ForwarderOptions {
  /** Who is asked, for messages, e.g. `the hub`. */
  readonly what: string;
  /** CA and client certificate for the connection. Nothing else of this process goes along. */
  readonly tls: Pick<KubeEndpoint, "ca" | "credential">;
  readonly clock: Clock;
  /** Longest time until the answer begins. @default {65 s, above an API server's own 60 s} */
  readonly headTimeout?: Ms;
}

/**
 * On what a hub passes back it stands who has answered, {@linkcode API_SERVER}: what a hub or a proxy
 * says of its own, such as "not found", must not be taken for the API server's word.
 */
export const ANSWERED_BY = "skerry-answered-by";
/** See {@linkcode ANSWERED_BY}. */
export const API_SERVER = "api-server";
/**
 * See {@linkcode ANSWERED_BY}: the API server is away, and a hub says so. What only reads may be read
 * from what the node holds.
 */
export const NOBODY = "nobody";

/** Largest body of a request, as an API server's own cap. */
const MAX_BODY = 3 * 2 ** 20;
/** Shorter than the servers' own: a connection that they close while it is used fails a request. */
const POOL_IDLE = seconds(30);

/**
 * What goes along with a request. Everything else stays behind: hop-by-hop headers, `Impersonate-*`,
 * and `Accept-Encoding`, as Deno undoes a compression that it was not asked to leave.
 */
const REQUEST_HEADERS = ["authorization", "accept", "content-type", "if-none-match", "user-agent"];
const RESPONSE_HEADERS = [
  ...["content-type", "cache-control", "etag", "retry-after", "vary", "warning", "audit-id"],
  ANSWERED_BY,
  ...["x-kubernetes-pf-flowschema-uid", "x-kubernetes-pf-prioritylevel-uid"],
];
/** How Deno says that there was no connection, so that nothing was asked. */
const NOT_SENT = /client error \(Connect\)/;
/** What is said of a write whose answer did not come: nobody may repeat it unseen. */
export const MAYBE_DONE = "what was asked may have been done, look before you try again";
/** Answers that have no body, by their code. */
const BARE = new Set([101, 204, 205, 304]);

/**
 * Passes requests on as they are, with the bearer token of who sent them and nothing of this process's
 * own. Bodies go through without being held, both ways.
 */
export class Forwarder implements Disposable {
  readonly #options: ForwarderOptions;
  #connection: Connection;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#connection = this.#connect();
  }

  /**
   * Sends `request` to `url` and returns the answer, whatever it is. `signal` ends it at any time.
   *
   * @throws {AppError} RequestEntityTooLarge; Timeout, ServiceUnavailable when there is no answer
   * @throws the reason of `signal`
   */
  async send(request: Request, url: string, signal: AbortSignal): Promise<Response> {
    const { clock, headTimeout = seconds(65), what } = this.#options;
    const body = new CappedBody(request);
    const use = this.#connection.use();
    using head = deadline(
      clock,
      headTimeout,
      () => new AppError("Timeout", `${what} did not answer in ${headTimeout / 1000} s`),
      signal,
    );
    let open = false;
    try {
      const response = await fetch(url, {
        method: request.method,
        client: this.#connection.client,
        headers: { ...pick(request.headers, REQUEST_HEADERS), "accept-encoding": "identity" },
        signal: head.signal,
        redirect: "manual",
        ...(body.stream ? { body: body.stream, duplex: "half" } : {}),
      });
      const { status } = response;
      open = response.body !== null && !BARE.has(status);
      return new Response(
        open && response.body ? heeding(response.body, signal, () => use[Symbol.dispose]()) : null,
        { status, headers: pick(response.headers, RESPONSE_HEADERS) },
      );
    } catch (error) {
      if (head.signal.aborted) throw head.signal.reason;
      throw body.error ?? this.#unreachable(error, request.method);
    } finally {
      if (!open) use[Symbol.dispose]();
    }
  }

  /**
   * The next request goes over a new connection. For when the other end has fallen silent: a
   * connection that waits for its next request looks alive, and may lead nowhere for ever.
   */
  renew(): void {
    const before = this.#connection;
    this.#connection = this.#connect();
    before.close();
  }

  /** Closes its connections when the last answer has ended. */
  [Symbol.dispose](): void {
    this.#connection.close();
  }

  #connect(): Connection {
    const { ca, credential } = this.#options.tls;
    return new Connection(Deno.createHttpClient({
      ...(ca === undefined ? {} : { caCerts: [ca] }),
      ...(credential ? { cert: credential.certificate, key: credential.key } : {}),
      // A full connection of HTTP/2 would make the next request wait without a word.
      http2: false,
      poolIdleTimeout: POOL_IDLE,
    }));
  }

  #unreachable(error: unknown, method: string): AppError {
    const why = errorText(error);
    const again = method === "GET" || method === "HEAD" || NOT_SENT.test(why);
    return new AppError(
      "ServiceUnavailable",
      `${this.#options.what} cannot be asked now${again ? "" : ` (${MAYBE_DONE})`}: ${why}`,
      // A client would try again by itself, and a write may have been done.
      { cause: error, ...(again ? { retryAfterSeconds: 1 } : {}) },
    );
  }
}

/** The body of a request, which breaks off when it is too large, and why it did. */
class CappedBody {
  readonly stream: ReadableStream<Uint8Array> | undefined;
  /** Why it broke off: `fetch` tells of it in words only. */
  error: AppError | undefined;

  /** @throws {AppError} RequestEntityTooLarge for what is declared */
  constructor({ headers, body }: Request) {
    const tooLarge = (): AppError =>
      new AppError(
        "RequestEntityTooLarge",
        `Request entity is too large: limit is ${MAX_BODY} bytes`,
      );
    if (Number(headers.get("content-length") ?? "0") > MAX_BODY) throw tooLarge();
    let size = 0;
    this.stream = body?.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => {
          size += chunk.byteLength;
          if (size <= MAX_BODY) return controller.enqueue(chunk);
          this.error = tooLarge();
          controller.error(this.error);
        },
      }),
    );
  }
}

function pick(headers: Headers, names: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of names) {
    const value = headers.get(name);
    if (value !== null) found[name] = value;
  }
  return found;
}
