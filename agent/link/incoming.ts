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
import type { IncomingStream, LinkHandlers, StreamHead } from "./options.ts";

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
    const over = new AbortController();
    // The runtime is asked while the hub is dialled: a stream costs the longer of the two.
    const dialing = this.#dial(dialer, open.stream, signal);
    const incoming = new Incoming(dialing, clock, heartbeat);
    const onAbort = (): void => void incoming.close("the agent is stopping");
    signal.addEventListener("abort", onAbort, { once: true });
    void dialing.then(({ closed }) => closed).then(
      () => over.abort(new Error("the stream is over")),
      (error) => over.abort(error),
    );
    try {
      if (!onOpen) throw new AppError("Unsupported", "this node serves no streams");
      await onOpen(open.header, incoming, over.signal);
      await incoming.refuse(new AppError("InternalError", "nobody served the stream"));
      // Served: what was written goes out before the close, and nothing more is awaited.
      await incoming.close("served");
    } catch (error) {
      await incoming.refuse(
        error instanceof AppError ? error : new AppError("InternalError", errorText(error)),
      );
      await incoming.close(errorText(error).slice(0, 100));
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
  readonly #dialing: Promise<Connection>;
  readonly #clock: Clock;
  readonly #heartbeat: Ms | undefined;
  #answered = false;

  constructor(dialing: Promise<Connection>, clock: Clock, heartbeat: Ms | undefined) {
    this.#dialing = dialing;
    this.#clock = clock;
    this.#heartbeat = heartbeat;
  }

  async accept(head: StreamHead = {}): Promise<Stream> {
    this.#answer();
    const connection = await this.#dialing;
    await connection.send(JSON.stringify({ ...head, ok: true }));
    const heartbeat = this.#heartbeat ? { heartbeat: this.#heartbeat } : {};
    return createStream(connection, { clock: this.#clock, ...heartbeat });
  }

  async refuse(error: AppError): Promise<void> {
    if (this.#answered) return;
    this.#answer();
    const { code, message } = error;
    const answer = { ok: false, error: { code, message: message.slice(0, 1000) } };
    // A hub that cannot be reached, or has left, needs no answer.
    await this.#dialing.then((connection) => connection.send(JSON.stringify(answer))).catch(
      () => {},
    );
  }

  /** Ends the connection, now or as soon as there is one. */
  async close(reason: string): Promise<void> {
    const connection = await this.#dialing.catch(() => undefined);
    connection?.close(CLOSE.bye, reason);
    await connection?.closed;
  }

  #answer(): void {
    if (this.#answered) throw new TypeError("Cannot answer a stream twice");
    this.#answered = true;
  }
}
