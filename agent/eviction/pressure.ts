import { minutes, type Ms } from "../../core/base/mod.ts";
import type { Pressure } from "../node/mod.ts";
import { isMet, type Observations, type Signal, type Threshold } from "./thresholds.ts";

/** What is kept from one look to the next. */
export interface PressureState {
  /** Thresholds that are met, by less than their reclaim as well. */
  readonly met: readonly Threshold[];
  /** When each pressure was last there; a monotonic time. */
  readonly seen: ReadonlyMap<Pressure, Ms>;
}

/** Nothing was seen yet. */
export const CALM: PressureState = { met: [], seen: new Map() };

/** A pressure stays so long after it was last seen (`eviction-pressure-transition-period`). */
const TRANSITION = minutes(5);

const PRESSURE: Readonly<Record<Signal, Pressure>> = {
  "memory.available": "MemoryPressure",
  "nodefs.available": "DiskPressure",
  "nodefs.inodesFree": "DiskPressure",
  "imagefs.available": "DiskPressure",
  "imagefs.inodesFree": "DiskPressure",
  "pid.available": "PIDPressure",
};

/** Folds one look at the machine into what was known. `now` is monotonic. */
export function observePressure(
  before: PressureState,
  thresholds: readonly Threshold[],
  observations: Observations,
  now: Ms,
): PressureState {
  const met = thresholds.filter((one) =>
    isMet(one, observations, { reclaim: before.met.includes(one) })
  );
  const seen = new Map([...before.seen].filter(([, at]) => now - at < TRANSITION));
  for (const { signal } of met) seen.set(PRESSURE[signal], now);
  // Memory first: the kernel does not wait.
  const rank = ({ signal }: Threshold): number => signal === "memory.available" ? 0 : 1;
  return { met: met.toSorted((a, b) => rank(a) - rank(b)), seen };
}

/** The pressures that the node tells of. */
export function pressuresOf({ seen }: PressureState): ReadonlySet<Pressure> {
  const order: readonly Pressure[] = ["MemoryPressure", "DiskPressure", "PIDPressure"];
  return new Set(order.filter((one) => seen.has(one)));
}
