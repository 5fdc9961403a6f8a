import { quantityToNumber } from "../../core/api/mod.ts";
import { AppError } from "../../core/base/mod.ts";

/** What is measured, in the kubelet's words. */
export const SIGNALS = [
  "memory.available",
  "nodefs.available",
  "nodefs.inodesFree",
  "imagefs.available",
  "imagefs.inodesFree",
  "pid.available",
] as const;

/** One of {@linkcode SIGNALS}. */
export type Signal = typeof SIGNALS[number];

/** An amount, or a share of what there is in all. */
export type Level = { readonly amount: number } | { readonly share: number };

/** The node is under pressure when less than `below` is left, until `reclaim` more than that is. */
export interface Threshold {
  readonly signal: Signal;
  readonly below: Level;
  readonly reclaim?: Level;
}

/** How much there is of something, and how much of it is left. */
export interface Observation {
  readonly available: number;
  readonly capacity: number;
}

/** By signal; what cannot be measured on this machine is absent. */
export type Observations = Readonly<Partial<Record<Signal, Observation>>>;

/**
 * Reads `memory.available<100Mi,nodefs.available<10%`, the kubelet's `--eviction-hard`, and
 * `nodefs.available=1Gi`, its `--eviction-minimum-reclaim`. Both replace what would be by default.
 *
 * @throws {AppError} BadRequest naming the part that cannot be read
 */
export function parseThresholds(hard: string, reclaim = ""): Threshold[] {
  const more = new Map(readList(reclaim, "="));
  return readList(hard, "<").map(([signal, below]) => {
    const extra = more.get(signal);
    return { signal, below, ...(extra ? { reclaim: extra } : {}) };
  });
}

function readList(text: string, sign: "<" | "="): [Signal, Level][] {
  const out = new Map<Signal, Level>();
  for (const part of text.split(",").map((item) => item.trim()).filter((item) => item !== "")) {
    const [name = "", value, ...rest] = part.split(sign);
    const signal = SIGNALS.find((one) => one === name);
    if (value === undefined || rest.length > 0 || !signal) {
      throw unreadable(part, `must be SIGNAL${sign}AMOUNT with one of ${SIGNALS.join(", ")}`);
    }
    if (out.has(signal)) throw unreadable(part, `${signal} stands there twice`);
    // The kubelet's words for a threshold that is never met.
    if (value !== "0%" && value !== "100%") out.set(signal, readLevel(part, value));
  }
  return [...out];
}

function readLevel(part: string, value: string): Level {
  if (/^\d{1,2}(\.\d+)?%$/.test(value)) return { share: Number(value.slice(0, -1)) / 100 };
  if (value.endsWith("%")) throw unreadable(part, "must be from 0% to 100%");
  const amount = quantityToNumber(value);
  if (amount === undefined) throw unreadable(part, `${value} is no quantity`);
  if (amount <= 0) throw unreadable(part, "must be more than nothing");
  return { amount };
}

function unreadable(part: string, why: string): AppError {
  return new AppError("BadRequest", `eviction threshold ${part}: ${why}`);
}

/** A level as an amount of `capacity`, in whole units. */
export function amountOf(level: Level, capacity: number): number {
  return Math.trunc("share" in level ? level.share * capacity : level.amount);
}

/** Whether too little is left; with `reclaim`, less than must be left for the pressure to end. */
export function isMet(
  { signal, below, reclaim }: Threshold,
  observations: Observations,
  options: { readonly reclaim?: boolean } = {},
): boolean {
  const seen = observations[signal];
  if (!seen) return false;
  const extra = options.reclaim && reclaim ? amountOf(reclaim, seen.capacity) : 0;
  return seen.available < amountOf(below, seen.capacity) + extra;
}
