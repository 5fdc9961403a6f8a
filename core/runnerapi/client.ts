import { RUNNER_HOST } from "../parts/mod.ts";
import {
  AppError,
  type Clock,
  deadline,
  type ErrorCode,
  errorText,
  patientTimer,
  seconds,
} from "../base/mod.ts";
import {
  PutFunctionAnswer,
  RunnerErrorBody,
  RunnerEvent,
  type RunnerFunction,
  RunnerStatus,
} from "./protocol.ts";

/** The runner as the agent sees it. */
export interface RunnerClient {
  /** @throws {AppError} ServiceUnavailable when no runner answers */
  status(signal?: AbortSignal): Promise<RunnerStatus>;
  /** Puts a module. @throws {AppError} Invalid when the digest differs, RequestEntityTooLarge, ServiceUnavailable */
  putModule(digest: string, wasm: Uint8Array<ArrayBuffer>, signal?: AbortSignal): Promise<void>;
  /** Puts a function. @throws {AppError} Invalid, ServiceUnavailable */
  putFunction(fn: RunnerFunction, signal?: AbortSignal): Promise<PutFunctionAnswer>;
  /** Removes a function; no error when there is none. @throws {AppError} ServiceUnavailable */
  deleteFunction(uid: string, signal?: AbortSignal): Promise<void>;
  /**
   * The runner's changes, beginning with its status. Ends when the runner does, and with
   * ServiceUnavailable when it says nothing for 30 s. @throws {AppError} ServiceUnavailable
   */
  events(signal: AbortSignal): AsyncGenerator<RunnerEvent>;
}

/** Options of {@linkcode createRunnerClient}. */
export interface RunnerClientOptions {
  /** Path of the runner's control socket. */
  readonly socket: string;
  readonly clock: Clock;
}

/** Longest line of the event stream, in bytes: a status with 1,000 functions fits. */
const MAX_LINE = 4 * 1024 * 1024;
const REQUEST_TIMEOUT = seconds(30);
/** The runner sends a ping every 10 s. */
const SILENCE = seconds(30);

/** A client of the runner's control socket. Close it with `using`. */
export function createRunnerClient(options: RunnerClientOptions): RunnerClient & Disposable {
  const { socket, clock } = options;
  const http = Deno.createHttpClient({ proxy: { transport: "unix", path: socket } });
  const send = async (path: string, init: RequestInit, signal?: AbortSignal): Promise<Response> => {
    try {
      const response = await fetch(`http://${RUNNER_HOST}/v1/${path}`, {
        ...init,
        client: http,
        ...(signal ? { signal } : {}),
      });
      if (response.ok) return response;
      throw await readError(response);
    } catch (error) {
      if (error instanceof AppError || signal?.aborted) throw signal?.reason ?? error;
      throw unavailable(socket, error);
    }
  };
  const call = async <T>(
    path: string,
    init: RequestInit,
    read: (response: Response) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> => {
    using limit = deadline(
      clock,
      REQUEST_TIMEOUT,
      () => unavailable(socket, "no answer in 30 s"),
      signal,
    );
    const response = await send(path, init, limit.signal);
    try {
      return await read(response);
    } catch (error) {
      if (error instanceof AppError || limit.signal.aborted) throw limit.signal.reason ?? error;
      throw unavailable(socket, error);
    }
  };
  return {
    status: (signal) =>
      call("status", {}, async (response) => RunnerStatus.parse(await response.json()), signal),
    async putModule(digest, wasm, signal) {
      await call(`modules/${digest}`, { method: "PUT", body: wasm }, drain, signal);
    },
    putFunction: (fn, signal) =>
      call(
        `functions/${fn.uid}`,
        { method: "PUT", body: JSON.stringify(fn) },
        async (response) => PutFunctionAnswer.parse(await response.json()),
        signal,
      ),
    async deleteFunction(uid, signal) {
      await call(`functions/${uid}`, { method: "DELETE" }, drain, signal);
    },
    async *events(signal) {
      using limit = new SilenceLimit(clock, socket, signal);
      const response = await send("events", {}, limit.signal);
      yield* readEvents(response, limit, socket);
    },
    [Symbol.dispose]: () => http.close(),
  };
}

async function drain(response: Response): Promise<void> {
  await response.body?.cancel();
}

function unavailable(socket: string, cause: unknown): AppError {
  return new AppError(
    "ServiceUnavailable",
    `the runner does not answer at ${socket}: ${errorText(cause)}`,
    { cause },
  );
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  404: "NotFound",
  413: "RequestEntityTooLarge",
  422: "Invalid",
  400: "BadRequest",
};

async function readError(response: Response): Promise<AppError> {
  const body = RunnerErrorBody.safeParse(await response.json().catch(() => undefined));
  const text = body.success ? body.data.error.message : `HTTP ${response.status}`;
  return new AppError(CODES[response.status] ?? "ServiceUnavailable", `runner: ${text}`);
}

/** Aborts when nothing was heard for {@linkcode SILENCE}. */
class SilenceLimit implements Disposable {
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #socket: string;
  readonly #parent: AbortSignal;
  #timer: Disposable | undefined;
  readonly #onAbort = (): void => this.#controller.abort(this.#parent.reason);

  constructor(clock: Clock, socket: string, parent: AbortSignal) {
    this.#clock = clock;
    this.#socket = socket;
    this.#parent = parent;
    if (parent.aborted) this.#onAbort();
    parent.addEventListener("abort", this.#onAbort, { once: true });
    this.heard();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  heard(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = patientTimer(
      this.#clock,
      SILENCE,
      () => this.#controller.abort(unavailable(this.#socket, "nothing heard for 30 s")),
    );
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#parent.removeEventListener("abort", this.#onAbort);
    this.#controller.abort(new Error("the event stream is closed"));
  }
}

async function* readEvents(
  response: Response,
  limit: SilenceLimit,
  socket: string,
): AsyncGenerator<RunnerEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const chunk of response.body ?? []) {
      limit.heard();
      rest += decoder.decode(chunk, { stream: true });
      if (rest.length > MAX_LINE) throw unavailable(socket, "a line of the stream is too long");
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line !== "") yield RunnerEvent.parse(JSON.parse(line));
    }
  } catch (error) {
    if (error instanceof AppError || limit.signal.aborted) throw limit.signal.reason ?? error;
    throw unavailable(socket, error);
  }
}
