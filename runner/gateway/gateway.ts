import { type Clock, errorText, type Logger } from "../../core/base/mod.ts";
import {
  cgiEnv,
  decodeResponse,
  type GuestRequest,
  type GuestResponse,
  parseCgi,
  RequestEncoder,
} from "../abi/mod.ts";
import type {
  CallResult,
  FunctionCaller,
  FunctionMatch,
  FunctionSet,
  Serving,
} from "../pool/mod.ts";
import { bodyRefused, errorResponse, failureOf, type GatewayError } from "./answers.ts";
import { NO_BODY } from "./body.ts";
import { BodyReader, type BodyRefusal, type HeldBody } from "./body_reader.ts";
import { FailureLog } from "./failures.ts";

/** Options of {@linkcode Gateway}. */
export interface GatewayOptions {
  readonly functions: FunctionSet;
  readonly caller: FunctionCaller;
  readonly clock: Clock;
  readonly log: Logger;
  /** @default {with its own defaults} */
  readonly bodies?: BodyReader;
}

/** What is left of an unread body would be read as the next request of the connection. */
const CLOSE = { connection: "close" };
/** Most characters of an error in a function's state. */
const MAX_ERROR = 1024;
/** Statuses that have no body (Fetch: null body status). */
const NO_CONTENT: ReadonlySet<number> = new Set([204, 205, 304]);

/** Answers HTTP requests with functions: `handle` is the handler of an HTTP server. */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #encoder = new RequestEncoder();
  readonly #bodies: BodyReader;
  readonly #failures: FailureLog;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#failures = new FailureLog(options.clock, options.log);
    this.#bodies = options.bodies ?? new BodyReader(options);
  }

  /** Answers one request. Never rejects. */
  handle(request: Request): Response | Promise<Response> {
    const { path, query } = splitUrl(request.url);
    const match = this.#options.functions.match(path);
    const serving = match?.entry.serving;
    if (!match || !serving) {
      return errorResponse({
        status: 404,
        reason: "NoSuchFunction",
        message: `no function answers ${path} on this node`,
      });
    }
    const { methods, maxBodyBytes } = match.trigger;
    if (methods.length > 0 && !methods.includes(request.method)) {
      return errorResponse({
        status: 405,
        reason: "MethodNotAllowed",
        message: `${path} answers ${methods.join(", ")}`,
        headers: { allow: methods.join(", ") },
      });
    }
    const { method, headers } = request;
    // A body of GET or HEAD means nothing (RFC 9110, 9.3.1), and to look for one costs.
    if (method === "GET" || method === "HEAD" || request.body === null) {
      return this.#call(match, serving, request, { method, path, query, headers, body: NO_BODY });
    }
    const head = { method, path, query, headers };
    return this.#withBody(match, serving, request, { head, maxBodyBytes });
  }

  async #withBody(
    match: FunctionMatch,
    serving: Serving,
    request: Request,
    rest: { readonly head: Omit<GuestRequest, "body">; readonly maxBodyBytes: number },
  ): Promise<Response> {
    const name = nameOf(serving);
    // No room for the call: its body is not worth reading.
    if (serving.gate.full) {
      match.entry.counters.requests++;
      match.entry.counters.rejected++;
      const full = failureOf(name, { refused: "QueueFull" });
      if (full) return errorResponse({ ...full, headers: { ...full.headers, ...CLOSE } });
    }
    let body: HeldBody | BodyRefusal;
    try {
      const said = request.headers.get("content-length");
      body = request.body
        ? await this.#bodies.read(request.body, said, rest.maxBodyBytes)
        : { bytes: NO_BODY, [Symbol.dispose]: () => {} };
    } catch {
      // The client went away in the middle of its body: nobody reads this answer.
      return new Response(null, { status: 400 });
    }
    if (typeof body === "string") {
      match.entry.counters.rejected++;
      return errorResponse(bodyRefused(name, body, rest.maxBodyBytes));
    }
    using held = body;
    return await this.#call(match, serving, request, { ...rest.head, body: held.bytes });
  }

  #call(
    match: FunctionMatch,
    serving: Serving,
    request: Request,
    guest: GuestRequest,
  ): Response | Promise<Response> {
    const command = serving.abi === "wasi-command";
    const call = command
      ? {
        input: guest.body as Uint8Array<ArrayBuffer>,
        env: cgiEnv(guest, { scriptName: match.trigger.path }),
        origin: request,
      }
      : { input: this.#encoder.encode(guest), origin: request };
    const result = this.#options.caller.call(match.entry, serving, call);
    this.#encoder.shrink();
    if (!(result instanceof Promise)) return this.#answer(match, serving, result);
    return result.then(
      (done) => this.#answer(match, serving, done),
      (error) => {
        this.#options.log.error("call failed", { name: nameOf(serving), error: errorText(error) });
        return errorResponse({
          status: 500,
          reason: "InternalError",
          message: `function ${nameOf(serving)} could not be called: ${errorText(error)}`,
        });
      },
    );
  }

  #answer(match: FunctionMatch, serving: Serving, result: CallResult): Response {
    if ("logs" in result) {
      for (const { level, text } of result.logs) {
        const write = LEVELS[level] ?? "info";
        this.#options.log[write]("function log", { function: nameOf(serving), text });
      }
    }
    const failure = failureOf(nameOf(serving), result);
    if (failure) return this.#failed(match, failure, serving, result);
    if (!("output" in result)) return new Response(null, { status: 500 });
    const answer = serving.abi === "wasi-command"
      ? parseCgi(result.output)
      : decodeResponse(result.output);
    if (typeof answer !== "string") return toResponse(answer);
    match.entry.counters.errors++;
    return this.#failed(
      match,
      {
        status: 502,
        reason: "BadResponse",
        message: `function ${nameOf(serving)}: ${answer}`,
      },
      serving,
      result,
    );
  }

  #failed(
    { entry }: FunctionMatch,
    failure: GatewayError,
    serving: Serving,
    result: CallResult,
  ): Response {
    if ("ok" in result) {
      entry.lastError = `${failure.reason}: ${failure.message}`.slice(0, MAX_ERROR);
      this.#failures.note(entry, {
        function: nameOf(serving),
        reason: failure.reason,
        error: result.ok ? failure.message : result.message,
      });
    }
    return errorResponse(failure);
  }
}

const LEVELS = ["debug", "info", "warn", "error"] as const;

function toResponse(answer: GuestResponse): Response {
  const body = NO_CONTENT.has(answer.status) ? null : answer.body;
  return new Response(body, { status: answer.status, headers: answer.headers });
}

function nameOf(serving: Serving): string {
  return `${serving.fn.namespace}/${serving.fn.name}`;
}

/** Splits `scheme://host/path?query` without normalising: the guest sees what was sent. */
function splitUrl(url: string): { path: string; query: string } {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  if (start < 0) return { path: "/", query: "" };
  const hash = url.indexOf("#", start);
  const end = hash < 0 ? url.length : hash;
  const mark = url.indexOf("?", start);
  if (mark < 0 || mark > end) return { path: url.slice(start, end), query: "" };
  return { path: url.slice(start, mark), query: url.slice(mark + 1, end) };
}
