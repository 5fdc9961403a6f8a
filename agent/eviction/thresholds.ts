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

/** What stands in which option. */
const OPTIONS = { "<": "eviction-hard", "=": "eviction-minimum-reclaim" } as const;

function readList(text: string, sign: "<" | "="): [Signal, Level][] {
  const out = new Map<Signal, Level>();
  for (const part of text.split(",").map((item) => item.trim()).filter((item) => item !== "")) {
    const [name = "", value, ...rest] = part.split(sign);
    const signal = SIGNALS.find((one) => one === name);
    const bad = (why: string): AppError =>
      new AppError("BadRequest", `--${OPTIONS[sign]}=${part}: ${why}`);
    if (value === undefined || rest.length > 0 || !signal) {
      throw bad(
        `must be SIGNAL${sign}AMOUNT with one of ${SIGNALS.join(", ")}: say e.g. ` +
          `memory.available${sign}100Mi or nodefs.available${sign}10%`,
      );
    }
    if (out.has(signal)) throw bad(`${signal} stands there twice`);
    // The kubelet's words for a threshold that is never met.
    if (value !== "0%" && value !== "100%") out.set(signal, readLevel(value, bad));
  }
  return [...out];
}

function readLevel(value: string, bad: (why: string) => AppError): Level {
  if (/^\d{1,2}(\.\d+)?%$/.test(value)) return { share: Number(value.slice(0, -1)) / 100 };
  if (value.endsWith("%")) throw bad("must be from 0% to 100%");
  const amount = quantityToNumber(value);
  if (amount === undefined) throw bad("must be a quantity or a share, such as 100Mi or 10%");
  if (amount <= 0) throw bad("must be more than nothing");
  return { amount };
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
