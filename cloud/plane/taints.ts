import {
  conditionOf,
  conditionsOf,
  conditionTaints,
  type Node,
  type Taint,
} from "../../core/api/mod.ts";

/**
 * The taints that count for a node: its own, and those that its conditions stand for before the
 * lifecycle controller has written them down.
 */
export function taintsOf(node: Node): Taint[] {
  const taints = [...node.spec?.taints ?? []];
  const conditions = conditionsOf(node);
  const keys = conditionTaints(conditionOf(node, "Ready") ? conditions : [...conditions, READY]);
  for (const key of keys) {
    if (!taints.some((taint) => taint.key === key && taint.effect === "NoSchedule")) {
      taints.push({ key, effect: "NoSchedule" });
    }
  }
  return taints;
}

/** Of a node that has not said that it is ready. */
const READY = { type: "Ready", status: "False" } as const;
