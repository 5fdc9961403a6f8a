import type { Clock } from "./clock.ts";
import type { Ms } from "./units.ts";

/** Options of {@linkcode SharedRead}. */
export interface SharedReadOptions<T> {
  readonly clock: Clock;
  /** How long an answer is good. Failures are not kept. */
  readonly maxAge: Ms;
  /** Its signal aborts when nobody waits for the answer any more. */
  readonly read: (signal: AbortSignal) => Promise<T>;
}

/**
 * A read that costs something, and that many may ask for at once: those who ask while it runs wait
 * for the same one, and those who ask soon after get what it gave.
 */
export class SharedRead<T> {
  readonly #options: SharedReadOptions<T>;
  #kept: { readonly value: T; readonly at: Ms } | undefined;
  #running: Running<T> | undefined;

  constructor(options: SharedReadOptions<T>) {
    this.#options = options;
  }

  /** The answer. Rejects with the signal's reason when `signal` aborts first. */
  async get(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const { clock, maxAge } = this.#options;
    if (this.#kept && clock.monotonic() - this.#kept.at < maxAge) return this.#kept.value;
    const running = this.#running ??= this.#start();
    running.waiting++;
    try {
      return await unlessAborted(running.answer, signal);
    } finally {
      if (--running.waiting === 0) {
        if (this.#running === running) this.#running = undefined;
        running.stop.abort(new Error("nobody waits for the answer any more"));
      }
    }
  }

  #start(): Running<T> {
    const stop = new AbortController();
    const answer = this.#options.read(stop.signal).then((value) => {
      this.#kept = { value, at: this.#options.clock.monotonic() };
      return value;
    });
    // Also when everybody has left.
    answer.catch(() => {});
    return { answer, stop, waiting: 0 };
  }
}

interface Running<T> {
  readonly answer: Promise<T>;
  readonly stop: AbortController;
  waiting: number;
}

/** The outcome of `work`, or a rejection with the signal's reason when that aborts first. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
