import { type Bytes, type Clock, mib, type Ms, ms, seconds } from "../../core/base/mod.ts";
import { joinChunks } from "./body.ts";

/** Why a body was not read to its end. */
export type BodyRefusal = "BodyTooLarge" | "BodyTimeout" | "NodeBusy";

/** A body in memory; dispose it when its call has ended. */
export interface HeldBody extends Disposable {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Options of {@linkcode BodyReader}. */
export interface BodyReaderOptions {
  readonly clock: Clock;
  /** Bytes of all bodies in memory at once. @default {32 MiB} */
  readonly budget?: Bytes;
  /** A client that sends nothing for so long is given up. @default {10 s} */
  readonly stall?: Ms;
  /** Time for a whole body. @default {120 s} */
  readonly total?: Ms;
}

/**
 * Reads the bodies of requests. What clients can make this process hold is bounded: in bytes over
 * all of them, and in time for each, so that nobody holds memory by sending slowly or never.
 */
export class BodyReader {
  readonly #clock: Clock;
  readonly #budget: Bytes;
  readonly #stall: Ms;
  readonly #total: Ms;
  #used = 0;

  constructor(options: BodyReaderOptions) {
    this.#clock = options.clock;
    this.#budget = options.budget ?? mib(32);
    this.#stall = options.stall ?? seconds(10);
    this.#total = options.total ?? seconds(120);
  }

  /** Bytes of bodies in memory. */
  get used(): number {
    return this.#used;
  }

  /**
   * Reads a body of at most `cap` bytes: one that says it is larger is refused before anything is
   * read. Rejects when the client goes away.
   */
  async read(
    body: ReadableStream<Uint8Array>,
    said: string | null,
    cap: number,
  ): Promise<HeldBody | BodyRefusal> {
    if (said !== null && Number(said) > cap) return "BodyTooLarge";
    if (this.#used >= this.#budget) return "NodeBusy";
    const reader = body.getReader();
    using watch = new Watch(this.#clock, this.#stall, this.#total, () => drop(reader));
    const chunks: Uint8Array[] = [];
    let size = 0;
    let kept = false;
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (watch.late) return "BodyTimeout";
        if (done) break;
        watch.progress();
        const refusal = this.#refusal(value.length, size, cap);
        if (refusal) {
          drop(reader);
          return refusal;
        }
        this.#used += value.length;
        size += value.length;
        chunks.push(value);
      }
      kept = true;
      return this.#held(joinChunks(chunks, size));
    } finally {
      if (!kept) this.#used -= size;
    }
  }

  #refusal(more: number, own: number, cap: number): BodyRefusal | undefined {
    if (own + more > cap) return "BodyTooLarge";
    // A body that is alone may be larger than the budget, else it could never come.
    return this.#used + more > this.#budget && this.#used > own ? "NodeBusy" : undefined;
  }

  #held(bytes: Uint8Array<ArrayBuffer>): HeldBody {
    let live = true;
    return {
      bytes,
      [Symbol.dispose]: () => {
        if (live) this.#used -= bytes.length;
        live = false;
      },
    };
  }
}

/** Lets go of the rest of a body. */
function drop(reader: ReadableStreamDefaultReader<Uint8Array>): void {
  // The client may have gone; there is nothing left to do about the body then.
  reader.cancel().catch(() => {});
}

/** Calls `onLate` once when there was no progress for `stall`, or after `total`. */
class Watch implements Disposable {
  readonly #clock: Clock;
  readonly #stall: Ms;
  readonly #end: number;
  readonly #onLate: () => void;
  #last: number;
  #timer: Disposable;
  late = false;

  constructor(clock: Clock, stall: Ms, total: Ms, onLate: () => void) {
    this.#clock = clock;
    this.#stall = stall;
    this.#onLate = onLate;
    this.#last = clock.monotonic();
    this.#end = this.#last + total;
    this.#timer = this.#arm();
  }

  /** One timer a body: progress is only noted, and read when the timer fires. */
  progress(): void {
    this.#last = this.#clock.monotonic();
  }

  #arm(): Disposable {
    const due = Math.min(this.#last + this.#stall, this.#end);
    return this.#clock.timer(ms(Math.max(1, due - this.#clock.monotonic())), () => {
      const now = this.#clock.monotonic();
      this.late = now >= this.#end || now - this.#last >= this.#stall;
      if (this.late) this.#onLate();
      else this.#timer = this.#arm();
    });
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }
}
