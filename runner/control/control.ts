import {
  AppError,
  type Clock,
  errorText,
  isAppError,
  type Logger,
  seconds,
} from "../../core/base/mod.ts";
import {
  MAX_MODULE_BYTES,
  RunnerEvent,
  RunnerFunction,
  type RunnerStatus,
} from "../../core/runnerapi/mod.ts";
import type { ModuleCache } from "../cache/mod.ts";
import { readBody } from "../gateway/body.ts";
import type { FunctionSet } from "../pool/mod.ts";

/** Options of {@linkcode createControl}. */
export interface ControlOptions {
  readonly functions: FunctionSet;
  readonly cache: ModuleCache;
  readonly clock: Clock;
  readonly log: Logger;
  /** The runner's status without its functions. */
  readonly identity: Omit<RunnerStatus, "functions">;
  /** Ends the event streams when the runner stops. */
  readonly signal: AbortSignal;
}

/** Largest function that is taken, in bytes. */
const MAX_FUNCTION_BYTES = 1024 * 1024;
/** Between two signs of life on an event stream. */
const PING = seconds(10);
/** Lines that may wait for a slow reader before its stream is ended; it then reads all anew. */
const MAX_WAITING = 10_000;

const encoder = new TextEncoder();

/**
 * The handler of the control socket. Whoever may open the socket may do everything here: its
 * folder's and its own mode are the authorisation of every route.
 */
export function createControl(options: ControlOptions): (request: Request) => Promise<Response> {
  return async (request) => {
    try {
      return await route(request, options);
    } catch (error) {
      return failure(error, options.log);
    }
  };
}

async function route(request: Request, options: ControlOptions): Promise<Response> {
  const { pathname } = new URL(request.url);
  const [, version, kind = "", id, ...rest] = pathname.split("/");
  if (version !== "v1" || rest.length > 0) throw notFound(pathname);
  const key = `${request.method} ${kind}${id === undefined ? "" : "/*"}`;
  switch (key) {
    case "GET status":
      return Response.json(statusOf(options));
    case "GET events":
      return new Response(eventStream(options), {
        headers: { "content-type": "application/x-ndjson" },
      });
    case "PUT modules/*":
      await options.cache.put(digestOf(id), await body(request, MAX_MODULE_BYTES));
      return new Response(null, { status: 204 });
    case "PUT functions/*": {
      const fn = await readFunction(request, id);
      return Response.json({ result: await options.functions.put(fn) });
    }
    case "DELETE functions/*":
      await options.functions.remove(id ?? "");
      return new Response(null, { status: 204 });
    default:
      throw notFound(pathname);
  }
}

function statusOf(options: ControlOptions): RunnerStatus {
  return { ...options.identity, functions: options.functions.states() };
}

function digestOf(id: string | undefined): string {
  if (id !== undefined && /^[0-9a-f]{64}$/.test(id)) return id;
  throw new AppError("BadRequest", "a module's name is its SHA-256 as 64 hex digits");
}

async function readFunction(request: Request, id: string | undefined): Promise<RunnerFunction> {
  const bytes = await body(request, MAX_FUNCTION_BYTES);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new AppError("BadRequest", `the function is no JSON: ${errorText(error)}`);
  }
  const result = RunnerFunction.safeParse(json);
  if (!result.success) {
    const text = result.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new AppError("Invalid", `the function cannot be read: ${text.join("; ")}`);
  }
  if (result.data.uid !== id) throw new AppError("Invalid", "the uid is not that of the address");
  return result.data;
}

async function body(request: Request, cap: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readBody(request, cap);
  if (bytes) return bytes;
  throw new AppError("RequestEntityTooLarge", `the body is larger than ${cap} bytes`);
}

function eventStream(options: ControlOptions): ReadableStream<Uint8Array> {
  const { clock, functions, signal } = options;
  let stop = (): void => {};
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (event: RunnerEvent): void => {
        if ((controller.desiredSize ?? 0) < -MAX_WAITING) return stop();
        controller.enqueue(encoder.encode(`${JSON.stringify(event)}\n`));
      };
      let timer: Disposable | undefined;
      const ping = (): void => {
        timer = clock.timer(PING, () => {
          send({ type: "ping" });
          ping();
        });
      };
      const subscription = functions.subscribe(send);
      stop = () => {
        stop = () => {};
        subscription[Symbol.dispose]();
        timer?.[Symbol.dispose]();
        signal.removeEventListener("abort", onAbort);
        controller.close();
      };
      const onAbort = (): void => stop();
      signal.addEventListener("abort", onAbort, { once: true });
      send({ type: "status", status: statusOf(options) });
      if (signal.aborted) stop();
      else ping();
    },
    cancel: () => stop(),
  });
}

function notFound(path: string): AppError {
  return new AppError("NotFound", `the control socket has no ${path}`);
}

const STATUS: Readonly<Record<string, number>> = {
  BadRequest: 400,
  NotFound: 404,
  RequestEntityTooLarge: 413,
  Invalid: 422,
};

function failure(error: unknown, log: Logger): Response {
  const code = isAppError(error) ? error.code : "InternalError";
  const status = STATUS[code] ?? 500;
  if (status === 500) log.error("control request failed", { error: errorText(error) });
  return Response.json({ error: { code, message: errorText(error) } }, { status });
}
