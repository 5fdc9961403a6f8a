import { type Ms, seconds } from "../../core/base/mod.ts";
import { hash } from "./hash.ts";

/** What happened to what, before it is known how often. */
export interface RawEvent {
  /** UID of the object that it is about. */
  readonly uid: string;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  /** e.g. `spec.containers{web}`. */
  readonly fieldPath?: string;
}

/** How an event is told: the same `series` again is one Event whose count goes up. */
export interface CorrelatedEvent {
  /** A word that no other Event has, of this process or of one before it. */
  readonly series: string;
  readonly message: string;
  readonly count: number;
  readonly firstTimestamp: Ms;
  readonly lastTimestamp: Ms;
}

/** client-go's `events_cache.go`: of one reason, so many different messages within so long. */
const SIMILAR = 10;
const SIMILAR_FOR = seconds(600);
/** client-go: an object may have so many Events at once, then one more each 5 min. */
const BURST = 25;
const REFILL = seconds(300);
/** Objects and Events of each that are remembered; beyond that the longest unseen are forgotten. */
const OBJECTS = 256;
const SERIES = 64;

interface Told {
  readonly firstTimestamp: Ms;
  count: number;
}

interface OfObject {
  tokens: number;
  at: Ms;
  /** By reason: hashes of the messages of late. */
  readonly reasons: Map<string, { readonly messages: Set<string>; last: Ms }>;
  readonly series: Map<string, Told>;
}

/**
 * Keeps Events few, as client-go's `EventCorrelator` does: the same event counts up, many that
 * differ in their message alone become one, and no object has more than it may have.
 */
export class EventCorrelator {
  readonly #objects = new Map<string, OfObject>();

  /** How to tell of `event`; `undefined` when its object has too many by now. */
  correlate(event: RawEvent, now: Ms): CorrelatedEvent | undefined {
    const object = this.#objects.get(event.uid) ??
      { tokens: BURST, at: now, reasons: new Map(), series: new Map() };
    keep(this.#objects, event.uid, object, OBJECTS);
    const { key, message } = aggregate(object, event, now);
    const told = object.series.get(key) ?? { firstTimestamp: now, count: 0 };
    told.count++;
    keep(object.series, key, told, SERIES);
    if (!take(object, now)) return undefined;
    const { count, firstTimestamp } = told;
    const series = hash(`${event.uid} ${key} ${firstTimestamp}`);
    return { series, message, count, firstTimestamp, lastTimestamp: now };
  }

  /** Forgets an object that is gone. */
  forget(uid: string): void {
    this.#objects.delete(uid);
  }
}

/** Under which key an event counts, and its message. */
function aggregate(
  object: OfObject,
  { type, reason, message, fieldPath = "" }: RawEvent,
  now: Ms,
): { key: string; message: string } {
  const group = JSON.stringify([type, reason, fieldPath]);
  let similar = object.reasons.get(group);
  if (!similar || now - similar.last > SIMILAR_FOR) similar = { messages: new Set(), last: now };
  keep(object.reasons, group, similar, SERIES);
  similar.last = now;
  const same = hash(`${group}${message}`);
  similar.messages.add(same);
  if (similar.messages.size < SIMILAR) return { key: same, message };
  // One goes, so that the set stays small and the next message is again one too many.
  const [oldest = ""] = similar.messages;
  similar.messages.delete(oldest);
  return { key: hash(group), message: `(combined from similar events): ${message}` };
}

function take(object: OfObject, now: Ms): boolean {
  const filled = Math.min(BURST, object.tokens + Math.max(0, now - object.at) / REFILL);
  object.at = now;
  object.tokens = filled >= 1 ? filled - 1 : filled;
  return filled >= 1;
}

/** Puts an entry last; the first go when there are too many. */
function keep<V>(map: Map<string, V>, key: string, value: V, most: number): void {
  map.delete(key);
  map.set(key, value);
  for (const [first] of map) {
    if (map.size <= most) break;
    map.delete(first);
  }
}
