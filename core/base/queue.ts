import type { Clock } from "./clock.ts";
import { backoffDelay } from "./retry.ts";
import type { Backoff } from "./retry.ts";
import type { Random } from "./random.ts";
import type { Ms } from "./units.ts";

/** Options of {@linkcode WorkQueue}. */
export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Wait after a failed key. */
  readonly backoff: Backoff;
}

/**
 * A queue of keys to work on, after client-go's workqueue: a key waits once however often it is
 * added, is never worked on by two workers, and a key added while it is being worked on comes
 * back afterwards. Unbounded in length, bounded by the number of distinct keys.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #ready: string[] = [];
  readonly #dirty = new Set<string>();
  readonly #processing = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #timers = new Map<string, { at: Ms; timer: Disposable }>();
  #wake: (() => void)[] = [];
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Keys that wait to be worked on now. */
  get size(): number {
    return this.#ready.length;
  }

  /** Makes `key` due now. */
  add(key: string): void {
    if (this.#closed || this.#dirty.has(key)) return;
    this.#dirty.add(key);
    if (this.#processing.has(key)) return;
    this.#ready.push(key);
    this.#wake.shift()?.();
  }

  /** Makes `key` due after `delay`; an earlier due time of the same key wins. */
  addAfter(key: string, delay: Ms): void {
    if (this.#closed) return;
    if (delay <= 0) return this.add(key);
    const at = (this.#options.clock.monotonic() + delay) as Ms;
    const waiting = this.#timers.get(key);
    if (waiting && waiting.at <= at) return;
    waiting?.timer[Symbol.dispose]();
    const timer = this.#options.clock.timer(delay, () => {
      this.#timers.delete(key);
      this.add(key);
    });
    this.#timers.set(key, { at, timer });
  }

  /** Makes `key` due after its back-off and counts one more failure. */
  retry(key: string): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const { backoff, random } = this.#options;
    this.addAfter(key, backoffDelay(backoff, failures, random));
  }

  /** Forgets the failures of `key`. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** How often `key` failed since it last succeeded. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The next key, or `undefined` when the queue has closed. Call {@linkcode done} afterwards. */
  async next(): Promise<string | undefined> {
    while (!this.#closed) {
      const key = this.#ready.shift();
      if (key !== undefined) {
        this.#dirty.delete(key);
        this.#processing.add(key);
        return key;
      }
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    return undefined;
  }

  /** Says that the work on `key` begins afresh: what was added so far needs no other turn. */
  restart(key: string): void {
    if (this.#processing.has(key)) this.#dirty.delete(key);
  }

  /** Says that the work on `key` has ended. */
  done(key: string): void {
    this.#processing.delete(key);
    if (this.#dirty.has(key) && !this.#closed) {
      this.#ready.push(key);
      this.#wake.shift()?.();
    }
  }

  /** Ends every `next()`, drops what waits. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#timers.values()) timer[Symbol.dispose]();
    this.#timers.clear();
    for (const wake of this.#wake.splice(0)) wake();
  }

  /**
   * Works the queue with `workers` at once until `signal` aborts. `work` throwing is a failure:
   * the key comes back after its back-off and `onError` is told; a returned delay brings the key
   * back after that time.
   */
  async run(
    work: (key: string) => Promise<Ms | void>,
    options: {
      workers: number;
      signal: AbortSignal;
      onError: (key: string, error: unknown) => void;
    },
  ): Promise<void> {
    const onAbort = (): void => this.close();
    if (options.signal.aborted) this.close();
    options.signal.addEventListener("abort", onAbort, { once: true });
    const loop = async (): Promise<void> => {
      for (let key = await this.next(); key !== undefined; key = await this.next()) {
        try {
          const again = await work(key);
          this.forget(key);
          if (again !== undefined) this.addAfter(key, again);
        } catch (error) {
          if (!options.signal.aborted) {
            options.onError(key, error);
            this.retry(key);
          }
        } finally {
          this.done(key);
        }
      }
    };
    try {
      await Promise.all(Array.from({ length: options.workers }, loop));
    } finally {
      options.signal.removeEventListener("abort", onAbort);
    }
  }
}
