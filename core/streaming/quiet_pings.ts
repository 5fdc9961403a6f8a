import { type Clock, ms } from "../base/mod.ts";
import { type ByteChannel, type Bytes, joinBytes } from "../wire/mod.ts";

/** Bytes of a SPDY/3.1 ping, and how it begins. */
const PING_SIZE = 12;
const PING_WORD = 0x80030006;
const HEAD_SIZE = 8;
/** Pings of a client that are kept; a client of Kubernetes has one on the way. */
const KEPT = 16;
/**
 * Half of the time in which a server says nothing before it counts as having been read to the end. A
 * runtime without a processor is silent too, and closes with a ping unread.
 */
const HALF_QUIET = ms(500);

/** Takes the pings out of what a SPDY client sends, whatever the pieces. Pure. */
export class PingFilter {
  readonly #head = new Uint8Array(PING_SIZE);
  #headSize = 0;
  #left = 0;

  /** Whether what went on so far ends with a frame. */
  get between(): boolean {
    return this.#left === 0;
  }

  /** Takes what the client sends next; `rest` goes on at once, a head that is not whole later. */
  push(bytes: Bytes): { readonly rest: Bytes; readonly pings: readonly Bytes[] } {
    const rest: Uint8Array[] = [];
    const pings: Bytes[] = [];
    for (let at = 0; at < bytes.byteLength;) {
      if (this.#left > 0) {
        const size = Math.min(this.#left, bytes.byteLength - at);
        rest.push(bytes.subarray(at, at + size));
        this.#left -= size;
        at += size;
        continue;
      }
      this.#head[this.#headSize++] = bytes[at++] ?? 0;
      if (this.#headSize === PING_SIZE) pings.push(this.rest());
      else if (this.#headSize === HEAD_SIZE && !this.#isPing()) this.#pass(rest);
    }
    return { rest: joinBytes(rest), pings };
  }

  /** What is left of a head that did not become whole. */
  rest(): Bytes {
    const head = this.#head.slice(0, this.#headSize);
    this.#headSize = 0;
    return head;
  }

  #isPing(): boolean {
    const view = new DataView(this.#head.buffer);
    return view.getUint32(0) === PING_WORD && (view.getUint32(4) & 0xffffff) === 4;
  }

  #pass(rest: Uint8Array[]): void {
    this.#left = new DataView(this.#head.buffer).getUint32(4) & 0xffffff;
    rest.push(this.rest());
  }
}

/**
 * A SPDY connection to a runtime that gets its client's pings only while it has nothing to say. A
 * runtime closes its connection when a command has ended, with megabytes of output in its socket if
 * the client is slow; what arrives after that makes Linux drop them (TCPAbortOnData), and kubectl
 * pings every 5 s. It takes a stream that was cut for a command that ended well.
 */
export function pingsWhenQuiet(channel: ByteChannel, clock: Clock): ByteChannel {
  return new QuietPings(channel, clock);
}

class QuietPings implements ByteChannel {
  readonly #channel: ByteChannel;
  readonly #clock: Clock;
  readonly #filter = new PingFilter();
  #held: Bytes[] = [];
  #reading = false;
  #closed = false;
  #timer: Disposable | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(channel: ByteChannel, clock: Clock) {
    this.#channel = channel;
    this.#clock = clock;
  }

  async read(): Promise<Bytes | undefined> {
    this.#reading = true;
    this.#arm();
    try {
      return await this.#channel.read();
    } finally {
      this.#reading = false;
      this.#disarm();
    }
  }

  async write(bytes: Bytes): Promise<void> {
    const { rest, pings } = this.#filter.push(bytes);
    this.#held = [...this.#held, ...pings].slice(-KEPT);
    this.#arm();
    if (rest.byteLength > 0) await this.#send(rest);
  }

  async end(): Promise<void> {
    const rest = this.#filter.rest();
    if (rest.byteLength > 0) await this.#send(rest);
    await this.#last;
    // After its end a client can send nothing, no ping either.
    this.#held = [];
    this.#disarm();
    await this.#channel.end();
  }

  close(): void {
    this.#closed = true;
    this.#disarm();
    this.#channel.close();
  }

  #arm(): void {
    if (!this.#reading || this.#closed || this.#held.length === 0 || this.#timer) return;
    // A process that got no processor has its timers first and what has arrived after them: only
    // what is quiet after a second wait was quiet.
    this.#timer = this.#clock.timer(HALF_QUIET, () => {
      this.#timer = this.#clock.timer(HALF_QUIET, () => this.#pass());
    });
  }

  #pass(): void {
    this.#timer = undefined;
    // In the middle of a frame: the rest of it begins the wait again.
    if (!this.#filter.between) return;
    this.#send(joinBytes(this.#held.splice(0))).catch(() => {/* told by the read */});
  }

  #disarm(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  /** A ping may not come into the middle of a frame's pieces on their way to the socket. */
  #send(bytes: Bytes): Promise<void> {
    const write = this.#last.then(() => this.#channel.write(bytes));
    this.#last = write.catch(() => {/* told to who wrote it */});
    return write;
  }
}
