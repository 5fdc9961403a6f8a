import type { Clock } from "../../core/base/mod.ts";

/** Options of {@linkcode RateLimiter}. */
export interface RateOptions {
  readonly clock: Clock;
  /** Calls that may come at once. */
  readonly burst: number;
  /** Calls a second after that. */
  readonly perSecond: number;
  /** Sources that are remembered; the one that called longest ago is forgotten first. @default {10000} */
  readonly sources?: number;
}

/** A token bucket for each source (remote address). */
export class RateLimiter {
  readonly #options: RateOptions;
  readonly #buckets = new Map<string, { level: number; at: number }>();

  constructor(options: RateOptions) {
    this.#options = options;
  }

  /** Takes one call of `source`. Returns 0 when it may go on, else the seconds to wait. */
  take(source: string): number {
    const { clock, burst, perSecond, sources = 10_000 } = this.#options;
    const now = clock.monotonic();
    const last = this.#buckets.get(source) ?? { level: burst, at: now };
    const level = Math.min(burst, last.level + (now - last.at) / 1000 * perSecond);
    const allowed = level >= 1;
    // Taken out and put back, so that the order of the map is that of the last calls.
    this.#buckets.delete(source);
    this.#buckets.set(source, { level: allowed ? level - 1 : level, at: now });
    if (this.#buckets.size > sources) {
      const oldest = this.#buckets.keys().next().value;
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return allowed ? 0 : Math.max(1, Math.ceil((1 - level) / perSecond));
  }
}
