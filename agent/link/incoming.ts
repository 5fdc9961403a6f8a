import {
  AppError,
  type Clock,
  deadline,
  errorText,
  type Logger,
  type Ms,
} from "../../core/base/mod.ts";
import {
  CLOSE,
  type Connection,
  createStream,
  type Dialer,
  LINK,
  type Stream,
} from "../../core/link/mod.ts";
import type { Open } from "../../core/sync/mod.ts";
import type { IncomingStream, LinkHandlers } from "./options.ts";

/** Options of {@linkcode IncomingStreams}. */
export interface IncomingStreamsOptions {
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly log: Logger;
  readonly heartbeat?: Ms;
  readonly onOpen?: LinkHandlers["onOpen"];
}

/** Dials the streams that the hub asks for and has them served. They outlive a session. */
export class IncomingStreams {
  readonly #options: IncomingStreamsOptions;
  readonly #running = new Set<Promise<void>>();

  constructor(options: IncomingStreamsOptions) {
    this.#options = options;
  }

  /** Serves one stream until it ends or `signal` aborts; never throws. */
  open(open: Open, signal: AbortSignal): void {
    if (this.#running.size >= LINK.streamsPerNode) {
      this.#options.log.warn("too many streams, one is refused", { stream: open.header.kind });
      return;
    }
    const run = this.#serve(open, signal).catch((error) => {
      const { kind } = open.header;
      this.#options.log.warn("stream failed", { kind, error: errorText(error) });
    }).finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  /** Resolves when no stream is served any more. */
  async drained(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #serve(open: Open, signal: AbortSignal): Promise<void> {
    const { clock, dialer, heartbeat, onOpen } = this.#options;
    const connection = await this.#dial(dialer, open.stream, signal);
    const onAbort = (): void => connection.close(CLOSE.bye, "the agent is stopping");
    signal.addEventListener("abort", onAbort, { once: true });
    const incoming = new Incoming(connection, clock, heartbeat);
    const over = new AbortController();
    void connection.closed.then(() => over.abort(new Error("the stream is over")));
    try {
      if (signal.aborted) onAbort();
      if (!onOpen) throw new AppError("Unsupported", "this node serves no streams");
      await onOpen(open.header, incoming, over.signal);
      incoming.refuse(new AppError("InternalError", "nobody served the stream"));
      // Served: what was written goes out before the close, and nothing more is awaited.
      if (incoming.accepted) connection.close(CLOSE.bye, "served");
      await connection.closed;
    } catch (error) {
      incoming.refuse(
        error instanceof AppError ? error : new AppError("InternalError", errorText(error)),
      );
      connection.close(CLOSE.bye, errorText(error).slice(0, 100));
      if (!(error instanceof AppError)) throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async #dial(dialer: Dialer, id: string, signal: AbortSignal): Promise<Connection> {
    using limit = deadline(
      this.#options.clock,
      LINK.openTimeout,
      () => new AppError("Timeout", "the hub did not take the stream in time"),
      signal,
    );
    return await dialer.dial(`/v1/stream/${id}`, limit.signal);
  }
}

class Incoming implements IncomingStream {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #heartbeat: Ms | undefined;
  #answered = false;
  /** Whether the bytes have begun. */
  accepted = false;

  constructor(connection: Connection, clock: Clock, heartbeat: Ms | undefined) {
    this.#connection = connection;
    this.#clock = clock;
    this.#heartbeat = heartbeat;
  }

  async accept(): Promise<Stream> {
    if (this.#answered) throw new TypeError("Cannot answer a stream twice");
    this.#answered = true;
    this.accepted = true;
    await this.#connection.send(JSON.stringify({ ok: true }));
    const heartbeat = this.#heartbeat ? { heartbeat: this.#heartbeat } : {};
    return createStream(this.#connection, { clock: this.#clock, ...heartbeat });
  }

  refuse(error: AppError): void {
    if (this.#answered) return;
    this.#answered = true;
    const { code, message } = error;
    const answer = { ok: false, error: { code, message: message.slice(0, 1000) } };
    this.#connection.send(JSON.stringify(answer)).catch(() => {/* told by closed */})
      .finally(() => this.#connection.close(CLOSE.bye, "refused"));
  }
}
