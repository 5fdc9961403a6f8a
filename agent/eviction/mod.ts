/** The eviction room: ends pods before the node runs out of memory, disk or process ids. */
export { Eviction, type EvictionOptions } from "./eviction.ts";
export { measurePods } from "./measure.ts";
export { observeMachine } from "./signals.ts";
export {
  amountOf,
  isMet,
  type Observations,
  parseThresholds,
  type Threshold,
} from "./thresholds.ts";
