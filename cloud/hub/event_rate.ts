import { hours, mib, type Ms } from "../../core/base/mod.ts";

/** Bytes of Events that a node may make at once: what it keeps of a long time alone, and more. */
const BURST = mib(4);
/** Bytes that it may make in an hour besides; Events are kept for an hour. */
const HOURLY = mib(16);

/**
 * How many bytes of Events each node may make the hub keep: a bucket per node, which outlives
 * sessions, because a new one costs a node nothing. There are no more buckets than nodes that ever
 * joined.
 */
export class EventRate {
  readonly #buckets = new Map<string, { bytes: number; at: Ms }>();

  /** Takes `bytes` of the node's. Returns false when so many are not left; `now` is monotonic. */
  take(node: string, bytes: number, now: Ms): boolean {
    const { bytes: left, at } = this.#buckets.get(node) ?? { bytes: BURST, at: now };
    const filled = Math.min(BURST, left + (now - at) * HOURLY / hours(1));
    const taken = filled >= bytes;
    this.#buckets.set(node, { bytes: taken ? filled - bytes : filled, at: now });
    return taken;
  }
}
