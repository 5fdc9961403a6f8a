import { hours, type Ms } from "../../core/base/mod.ts";

/** Events that a node may make at once: what it keeps of a long time alone, and some more. */
const BURST = 1100;
/** Events that it may make in an hour besides; Events are kept for an hour. */
const HOURLY = 1000;

/**
 * How many Events each node may make: a bucket of tokens per node, which outlives sessions, because
 * a new one costs a node nothing. There are no more buckets than nodes that ever joined.
 */
export class EventRate {
  readonly #buckets = new Map<string, { tokens: number; at: Ms }>();

  /** Takes a token of the node. Returns false when none is left; `now` is monotonic. */
  take(node: string, now: Ms): boolean {
    const { tokens, at } = this.#buckets.get(node) ?? { tokens: BURST, at: now };
    const filled = Math.min(BURST, tokens + (now - at) * HOURLY / hours(1));
    const taken = filled >= 1;
    this.#buckets.set(node, { tokens: taken ? filled - 1 : filled, at: now });
    return taken;
  }
}
