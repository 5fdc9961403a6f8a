import { AppError, type Clock, type Ms } from "../base/mod.ts";
import { Heartbeat } from "./heartbeat.ts";
import { CLOSE, type Closed, type Connection, LINK, type Stream } from "./link.ts";

/** Bytes of one message of a stream. */
const CHUNK = 64 * 1024;
/** Characters of a control message. */
const CONTROL_CAP = 4096;

/** Options of {@linkcode createStream}. */
export interface StreamOptions {
  readonly clock: Clock;
  /** @default {LINK.heartbeat} */
  readonly heartbeat?: Ms;
}

/**
 * Makes a byte stream of a connection on which both sides have agreed (docs/protocol.md section 6):
 * credit so that a slow reader stops the writer, `end` for half-close, beats against half-open links.
 */
export function createStream(connection: Connection, options: StreamOptions): Stream {
  return new LinkStream(connection, options);
}

class LinkStream implements Stream {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<Uint8Array<ArrayBuffer>>;
  readonly closed: Promise<Closed>;
  readonly #connection: Connection;
  readonly #heartbeat: Heartbeat;
  #source!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  #sink!: WritableStreamDefaultController;
  /** Bytes that we may still send. */
  #credit: number = LINK.streamWindow;
  #creditWaiter: (() => void) | undefined;
  /** Bytes that the peer may still send, and those read but not yet given back as credit. */
  #window: number = LINK.streamWindow;
  #consumed = 0;
  #queue: Uint8Array<ArrayBuffer>[] = [];
  #pull: (() => void) | undefined;
  #ended = false;
  #sentEnd = false;
  #over = false;

  constructor(connection: Connection, options: StreamOptions) {
    this.#connection = connection;
    this.closed = connection.closed;
    this.#heartbeat = new Heartbeat(options.clock, options.heartbeat ?? LINK.heartbeat, {
      beat: () => this.#control({ beat: true }),
      dead: () => connection.close(CLOSE.heartbeat, "no sign of life for 3 heartbeats"),
    });
    this.readable = new ReadableStream({
      start: (controller) => void (this.#source = controller),
      pull: () => this.#feed(),
      cancel: () => this.close("the reader has left"),
    }, { highWaterMark: 0 });
    this.writable = new WritableStream({
      start: (controller) => void (this.#sink = controller),
      write: (chunk) => this.#write(chunk),
      close: () => this.#finish(),
      abort: () => this.close("the writer has left"),
    });
    // The end is told after the last frame has been read, else bytes before it would be lost.
    void this.#read().then(() => connection.closed).then((how) => this.#end(how));
  }

  close(reason: string): void {
    this.#connection.close(CLOSE.bye, reason.slice(0, 120));
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        const frame = await this.#connection.receive();
        if (frame === undefined) return;
        this.#heartbeat.heard();
        if (typeof frame === "string") this.#onControl(frame);
        else this.#onBytes(frame);
      }
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.#connection.close(CLOSE.protocol, text.slice(0, 120));
    }
  }

  #onControl(text: string): void {
    if (text.length > CONTROL_CAP) throw new AppError("BadRequest", "control message too long");
    let control: { end?: unknown; credit?: unknown } | null;
    try {
      control = JSON.parse(text);
    } catch (cause) {
      throw new AppError("BadRequest", "control message is not JSON", { cause });
    }
    if (typeof control !== "object" || control === null) {
      throw new AppError("BadRequest", "control message is no object");
    }
    if (control.end === true && !this.#ended) {
      this.#ended = true;
      this.#wakeReader();
      this.#closeWhenDone();
    }
    if (control.credit !== undefined) {
      const credit = control.credit;
      if (!Number.isSafeInteger(credit) || (credit as number) < 0) {
        throw new AppError("BadRequest", "credit is no count");
      }
      this.#credit = Math.min(this.#credit + (credit as number), LINK.streamWindow);
      this.#creditWaiter?.();
    }
  }

  #onBytes(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#ended) throw new AppError("BadRequest", "bytes after the end");
    this.#window -= bytes.byteLength;
    if (this.#window < 0) throw new AppError("BadRequest", "more bytes than the window");
    if (bytes.byteLength === 0) return;
    this.#queue.push(bytes);
    this.#wakeReader();
  }

  async #feed(): Promise<void> {
    while (this.#queue.length === 0 && !this.#ended && !this.#over) {
      await new Promise<void>((resolve) => this.#pull = resolve);
    }
    const bytes = this.#queue.shift();
    if (bytes) {
      this.#source.enqueue(bytes);
      this.#consumed += bytes.byteLength;
      if (this.#consumed >= LINK.streamWindow / 2) {
        this.#control({ credit: this.#consumed });
        this.#window += this.#consumed;
        this.#consumed = 0;
      }
    } else if (this.#ended) this.#source.close();
  }

  #wakeReader(): void {
    const pull = this.#pull;
    this.#pull = undefined;
    pull?.();
  }

  async #write(chunk: Uint8Array<ArrayBuffer>): Promise<void> {
    for (let at = 0; at < chunk.byteLength;) {
      while (this.#credit === 0 && !this.#over) {
        await new Promise<void>((resolve) => this.#creditWaiter = resolve);
      }
      if (this.#over) throw broken();
      const size = Math.min(CHUNK, this.#credit, chunk.byteLength - at);
      this.#credit -= size;
      this.#heartbeat.sent();
      await this.#connection.send(chunk.subarray(at, at + size));
      at += size;
    }
  }

  async #finish(): Promise<void> {
    if (this.#over) throw broken();
    this.#heartbeat.sent();
    await this.#connection.send(JSON.stringify({ end: true }));
    this.#sentEnd = true;
    this.#closeWhenDone();
  }

  #closeWhenDone(): void {
    if (this.#ended && this.#sentEnd) this.#connection.close(CLOSE.bye, "both ends are done");
  }

  #control(message: Record<string, unknown>): void {
    this.#heartbeat.sent();
    this.#connection.send(JSON.stringify(message)).catch(() => {/* told through closed */});
  }

  #end(how: Closed): void {
    if (this.#over) return;
    this.#over = true;
    this.#heartbeat.stop();
    this.#creditWaiter?.();
    // A connection that ended in good order may still have bytes for a slow reader.
    if (!this.#ended) this.#source.error(broken(how));
    if (!this.#sentEnd) this.#sink.error(broken(how));
    this.#wakeReader();
  }
}

function broken(how?: Closed): AppError {
  const why = how ? ` (${how.code} ${how.reason})` : "";
  return new AppError("ServiceUnavailable", `the stream broke before its end${why}`);
}
