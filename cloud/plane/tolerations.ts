import type { Node, Taint, Toleration } from "../../core/api/mod.ts";
import { conditionOf } from "./pods.ts";

/** Taints that Kubernetes' node controllers set, and DaemonSets tolerate. */
export const TAINTS = {
  notReady: "node.kubernetes.io/not-ready",
  unreachable: "node.kubernetes.io/unreachable",
  unschedulable: "node.kubernetes.io/unschedulable",
  diskPressure: "node.kubernetes.io/disk-pressure",
  memoryPressure: "node.kubernetes.io/memory-pressure",
  pidPressure: "node.kubernetes.io/pid-pressure",
  networkUnavailable: "node.kubernetes.io/network-unavailable",
} as const;

/** Whether one of `tolerations` tolerates `taint`. Source: `v1helper.TolerationsTolerateTaint`. */
export function tolerates(tolerations: readonly Toleration[] | undefined, taint: Taint): boolean {
  return (tolerations ?? []).some((toleration) => {
    if (toleration.effect && toleration.effect !== taint.effect) return false;
    if (toleration.key && toleration.key !== taint.key) return false;
    // An empty key with `Exists` tolerates everything; with `Equal` it is invalid and does nothing.
    if (toleration.operator === "Exists") return true;
    return Boolean(toleration.key) && (toleration.value ?? "") === (taint.value ?? "");
  });
}

/**
 * The taints that count for a node: its own, and those that its conditions stand for before the
 * lifecycle controller has written them down.
 */
export function taintsOf(node: Node): Taint[] {
  const taints = [...node.spec?.taints ?? []];
  const add = (key: string): void => {
    if (!taints.some((taint) => taint.key === key && taint.effect === "NoSchedule")) {
      taints.push({ key, effect: "NoSchedule" });
    }
  };
  const ready = conditionOf(node, "Ready")?.status;
  if (ready === "Unknown") add(TAINTS.unreachable);
  else if (ready !== "True") add(TAINTS.notReady);
  return taints;
}

/** The first taint with one of `effects` that nothing tolerates. */
export function untolerated(
  options: {
    taints: readonly Taint[];
    tolerations: readonly Toleration[] | undefined;
    effects: readonly Taint["effect"][];
  },
): Taint | undefined {
  const { taints, tolerations, effects } = options;
  return taints.find((taint) => effects.includes(taint.effect) && !tolerates(tolerations, taint));
}
