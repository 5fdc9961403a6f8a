import { type Clock, sleep } from "./clock.ts";
import type { Random } from "./random.ts";
import type { Ms } from "./units.ts";

/** How long to wait between tries. */
export interface Backoff {
  /** The longest wait before the first retry. */
  readonly base: Ms;
  /** The longest wait of all. */
  readonly cap: Ms;
}

/** The wait before retry number `attempt` (from 0): full jitter over `base * 2^attempt`, capped. */
export function backoffDelay(backoff: Backoff, attempt: number, random: Random): Ms {
  const ceiling = Math.min(backoff.cap, backoff.base * 2 ** Math.min(attempt, 40));
  return (random() * ceiling) as Ms;
}

/** Options of {@linkcode retry}. */
export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly backoff: Backoff;
  /** Whether this error may go away by itself. Others are thrown at once. */
  readonly retryable: (error: unknown) => boolean;
  /** Tries in all; without it, only `signal` ends the retries. */
  readonly attempts?: number;
  readonly signal?: AbortSignal;
}

/** Calls `fn` until it succeeds, `retryable` says no, `attempts` are used up or `signal` aborts. */
export async function retry<T>(
  fn: (attempt: number) => Promise<T>,
  options: RetryOptions,
): Promise<T> {
  for (let attempt = 0;; attempt++) {
    options.signal?.throwIfAborted();
    try {
      return await fn(attempt);
    } catch (error) {
      const last = options.attempts !== undefined && attempt + 1 >= options.attempts;
      if (last || !options.retryable(error)) throw error;
    }
    await sleep(
      options.clock,
      backoffDelay(options.backoff, attempt, options.random),
      options.signal,
    );
  }
}
