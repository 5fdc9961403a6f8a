import { AppError, type Clock, isAppError, seconds } from "../base/mod.ts";
import {
  type ByteChannel,
  clientFrame,
  closePayload,
  FrameDecoder,
  type FrameEvent,
  joinBytes,
  OP,
  parseClose,
} from "../wire/mod.ts";
import { frameSize } from "./codec.ts";
import { CLOSE, type Closed, type Connection, type Frame, LINK, type Peer } from "./link.ts";

/** How long the hub may take to answer a close. */
const CLOSE_ANSWER = seconds(3);

/** The client's side of a WebSocket whose handshake is done, over `channel`. */
export class WsClient implements Connection {
  readonly peer: Peer;
  readonly closed: Promise<Closed>;
  readonly #channel: ByteChannel;
  readonly #clock: Clock;
  readonly #resolveClosed: (closed: Closed) => void;
  readonly #decoder = new FrameDecoder({ from: "server", messageCap: LINK.frameCap });
  /** Pieces of the message that has not ended. */
  #pieces: Uint8Array[] = [];
  #inbox: Frame[] = [];
  #inboxBytes = 0;
  #reader: ((frame: Frame | undefined) => void) | undefined;
  #last: Promise<void> = Promise.resolve();
  #limit: Disposable | undefined;
  #over = false;

  constructor(channel: ByteChannel, peer: Peer, clock: Clock) {
    const { promise, resolve } = Promise.withResolvers<Closed>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    this.#channel = channel;
    this.#clock = clock;
    this.peer = peer;
    void this.#read();
  }

  async send(frame: Frame): Promise<void> {
    const size = frameSize(frame);
    if (size > LINK.frameCap) {
      throw new AppError(
        "RequestEntityTooLarge",
        `frame of ${size} bytes, at most ${LINK.frameCap}`,
      );
    }
    if (this.#over) throw unavailable();
    const text = typeof frame === "string";
    await this.#write(text ? OP.text : OP.binary, text ? new TextEncoder().encode(frame) : frame);
  }

  receive(): Promise<Frame | undefined> {
    const frame = this.#inbox.shift();
    if (frame !== undefined) {
      this.#inboxBytes -= frame.length;
      return Promise.resolve(frame);
    }
    if (this.#over) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#reader = resolve);
  }

  close(code: number, reason: string): void {
    if (this.#over) return;
    this.#inbox = [];
    this.#sayClose(code, reason);
    this.#end({ code, reason });
  }

  #sayClose(code: number, reason: string): void {
    // A client may not send the reserved codes (RFC 6455 7.4.2).
    const allowed = code === CLOSE.bye || code >= 3000 ? code : CLOSE.protocol;
    this.#write(OP.close, closePayload(allowed, reason)).catch(() => {/* told by the read */});
    this.#limit = this.#clock.timer(CLOSE_ANSWER, () => this.#channel.close());
  }

  /** All of it in the order of the calls. */
  #write(opcode: number, payload: Uint8Array): Promise<void> {
    const frame = clientFrame(opcode, payload);
    const write = this.#last.then(() => this.#channel.write(frame));
    this.#last = write.catch(() => {/* told to who wrote it */});
    return write.catch((cause) => {
      throw unavailable(cause);
    });
  }

  async #read(): Promise<void> {
    let how: Closed = { code: CLOSE.broken, reason: "" };
    try {
      for (let bytes = await this.#channel.read(); bytes; bytes = await this.#channel.read()) {
        for (const event of this.#decoder.push(bytes)) {
          const closed = this.#onEvent(event);
          if (closed) return void (how = closed);
        }
      }
    } catch (error) {
      const large = isAppError(error, "RequestEntityTooLarge");
      const text = error instanceof Error ? error.message : String(error);
      if (large || isAppError(error, "BadRequest")) {
        this.close(large ? CLOSE.tooLarge : CLOSE.protocol, text);
      }
      how = { code: CLOSE.broken, reason: text };
    } finally {
      this.#end(how);
      // The answer to a close goes out; a hub that does not take it is left.
      this.#limit ??= this.#clock.timer(CLOSE_ANSWER, () => this.#channel.close());
      await this.#last;
      await this.#channel.end().catch(() => {/* gone already */});
      this.#limit[Symbol.dispose]();
      this.#channel.close();
    }
  }

  /** Returns how the connection has ended, when it has. */
  #onEvent(event: FrameEvent): Closed | undefined {
    if (event.kind === "close") {
      const closed = parseClose(event.bytes);
      if (!this.#over) this.#sayClose(closed.code, "");
      return closed;
    }
    if (event.kind === "ping") {
      this.#write(OP.pong, event.bytes).catch(() => {/* told by the read */});
    }
    if (event.kind !== "data" || this.#over) return undefined;
    this.#pieces.push(event.bytes);
    if (!event.end) return undefined;
    // A copy: what was read together must not stay for as long as a piece of it waits.
    const message = joinBytes(this.#pieces);
    this.#pieces = [];
    this.#arrive(event.text ? new TextDecoder().decode(message) : message);
  }

  #arrive(frame: Frame): void {
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader) return reader(frame);
    this.#inbox.push(frame);
    this.#inboxBytes += frame.length;
    if (this.#inboxBytes > LINK.unreadBytes) {
      this.close(CLOSE.protocol, "more bytes than the windows allow");
    }
  }

  #end(closed: Closed): void {
    if (this.#over) return;
    this.#over = true;
    this.#resolveClosed(closed);
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.(undefined);
  }
}

function unavailable(cause?: unknown): AppError {
  return new AppError("ServiceUnavailable", "the connection is closed", { cause });
}
