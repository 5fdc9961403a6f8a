import { AppError, type Clock, deadline, type Ms, seconds } from "../../../core/base/mod.ts";
import { UnaryConnection } from "./connection.ts";

/** Options of {@linkcode serveUnary}. */
export interface ServeOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Does one call. What it throws is the call's answer. */
  readonly handle: (message: Uint8Array, signal: AbortSignal) => Promise<void>;
  /** A connection is closed when no call was answered for this long. @default {1 minute} */
  readonly idle?: Ms;
}

const MAX_CONNECTIONS = 16;
/** One call may take this long; what it does is then given up. */
const CALL_LIMIT = seconds(30);
const READ_SIZE = 16 * 1024;

/**
 * Serves one unary gRPC method, whose answer has no fields, on a listener of a unix socket until
 * `signal` aborts. `Deno.serve` sends no trailers and `node:http2` may abort the process, so this
 * speaks as much HTTP/2 as such a method needs. Connections beyond the cap are closed at once.
 *
 * @throws when the listener fails
 */
export async function serveUnary(
  listener: Deno.Listener<Deno.UnixConn>,
  options: ServeOptions,
): Promise<void> {
  const open = new Set<Promise<void>>();
  const onAbort = (): void => listener.close();
  options.signal.throwIfAborted();
  options.signal.addEventListener("abort", onAbort, { once: true });
  try {
    for await (const conn of listener) {
      if (open.size >= MAX_CONNECTIONS) {
        conn.close();
        continue;
      }
      const served = serveConnection(conn, options).finally(() => open.delete(served));
      open.add(served);
    }
  } finally {
    options.signal.removeEventListener("abort", onAbort);
    await Promise.all(open);
  }
}

/** Never rejects: whatever is wrong with one connection ends that connection. */
async function serveConnection(conn: Deno.UnixConn, options: ServeOptions): Promise<void> {
  const { clock, idle = seconds(60) } = options;
  const machine = new UnaryConnection();
  const stop = new AbortController();
  const calls = new Set<Promise<void>>();
  let writing = Promise.resolve();
  const send = (bytes: Uint8Array): Promise<void> => {
    writing = writing.then(() => write(conn, bytes));
    // Whoever awaits it hears of a failure; a call that answers later does not have to.
    writing.catch(() => {});
    return writing;
  };
  const close = (): void => {
    try {
      conn.close();
    } catch {
      // It is closed.
    }
  };
  const onAbort = (): void => {
    stop.abort(options.signal.reason);
    close();
  };
  options.signal.addEventListener("abort", onAbort, { once: true });
  let timer = clock.timer(idle, close);
  const rearm = (): void => {
    timer[Symbol.dispose]();
    timer = clock.timer(idle, close);
  };
  try {
    await send(machine.hello());
    const buffer = new Uint8Array(READ_SIZE);
    for (let ended = false; !ended;) {
      const count = await conn.read(buffer);
      if (count === null) break;
      const received = machine.receive(buffer.subarray(0, count));
      for (const { stream, message } of received.calls) {
        const call = answerTo(message, stop.signal, options).then(async (error) => {
          rearm();
          await send(machine.answer(stream, error)).catch(() => {});
        }).finally(() => calls.delete(call));
        calls.add(call);
      }
      await send(received.out);
      ended = received.close;
    }
  } catch {
    // The client went away, or the time was up.
  } finally {
    // Calls that came in time are done and, where somebody still listens, answered.
    await Promise.all(calls);
    await send(machine.end()).catch(() => {});
    timer[Symbol.dispose]();
    options.signal.removeEventListener("abort", onAbort);
    stop.abort();
    close();
  }
}

/** Does one call and returns what it threw. */
async function answerTo(
  message: Uint8Array,
  signal: AbortSignal,
  options: ServeOptions,
): Promise<unknown> {
  const late = (): AppError =>
    new AppError("Timeout", `The call took longer than ${CALL_LIMIT / 1000} s`);
  using limited = deadline(options.clock, CALL_LIMIT, late, signal);
  try {
    await options.handle(message, limited.signal);
    return undefined;
  } catch (error) {
    return error ?? new AppError("InternalError", "The call failed");
  }
}

async function write(conn: Deno.UnixConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}
