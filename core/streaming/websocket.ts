import { AppError, type Clock, seconds } from "../base/mod.ts";
import {
  type ByteChannel,
  type Bytes,
  closePayload,
  FrameDecoder,
  type FrameEvent,
  OP,
  serverFrame,
} from "../wire/mod.ts";

/** Close codes (RFC 6455 7.4.1). */
const NORMAL = 1000;
const PROTOCOL_ERROR = 1002;

/**
 * How often a client from which nothing was read is told that somebody is here. Nothing is read, no
 * ping either, while the process in the container does not read what was sent before. Then clients
 * give up after a minute; and of one that has left, nothing is known until something is written.
 */
const SIGN_OF_LIFE = seconds(5);

/** Some bytes of a message; `start` for the first of a message. */
export type Piece = Extract<FrameEvent, { kind: "data" }>;

/** The server's side of a WebSocket whose handshake is done. Dispose it to stop its timer. */
export class WebSocketSide implements Disposable {
  readonly #channel: ByteChannel;
  readonly #clock: Clock;
  readonly #decoder = new FrameDecoder({ from: "client" });
  #events: FrameEvent[] = [];
  #timer: Disposable;
  /** Writes that have not settled, one after the other. */
  #writing = 0;
  #last: Promise<void> = Promise.resolve();
  #closed = false;
  /** Something was read since the last sign of life was due. */
  #heard = false;

  constructor(channel: ByteChannel, clock: Clock) {
    this.#channel = channel;
    this.#clock = clock;
    this.#timer = this.#arm();
  }

  /**
   * The next bytes of a message; `undefined` when the client is over. Answers pings on the way.
   * @throws when the client is gone, or sends what is no WebSocket
   */
  async receive(): Promise<Piece | undefined> {
    for (;;) {
      const event = this.#events.shift();
      if (event?.kind === "data") return event;
      if (event?.kind === "close") return void await this.close();
      // After our close nothing may follow; a slow client that pings is still to read what came before.
      if (event?.kind === "ping" && !this.#closed) {
        await this.#write(serverFrame(OP.pong, event.bytes));
      }
      if (event) continue;
      const bytes = await this.#channel.read();
      if (!bytes) return undefined;
      this.#heard = true;
      try {
        this.#events = this.#decoder.push(bytes);
      } catch (error) {
        await this.close(PROTOCOL_ERROR);
        throw error;
      }
    }
  }

  /** Sends one binary message. */
  async send(...parts: readonly Uint8Array[]): Promise<void> {
    if (this.#closed) throw new AppError("ServiceUnavailable", "the WebSocket is closed");
    await this.#write(serverFrame(OP.binary, ...parts));
  }

  /** Says that this is the end, or that it has heard the client's; idempotent. */
  async close(code: number = NORMAL): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#write(serverFrame(OP.close, closePayload(code)));
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  #write(frame: Bytes): Promise<void> {
    this.#writing++;
    const write = this.#last.then(() => this.#channel.write(frame));
    this.#last = write.catch(() => {/* told to who wrote it */}).finally(() => this.#writing--);
    return write;
  }

  #arm(): Disposable {
    return this.#clock.timer(SIGN_OF_LIFE, () => {
      if (!this.#heard && !this.#closed && this.#writing === 0) {
        this.#write(serverFrame(OP.pong)).catch(() => {/* told by the socket's end */});
      }
      this.#heard = false;
      this.#timer = this.#arm();
    });
  }
}
