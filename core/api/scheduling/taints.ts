import type { Condition } from "../object.ts";

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

/** Source: `nodeConditionToTaintKeyStatusMap` of the node lifecycle controller. */
const BY_CONDITION: readonly { type: string; status: Condition["status"]; key: string }[] = [
  { type: "Ready", status: "False", key: TAINTS.notReady },
  { type: "Ready", status: "Unknown", key: TAINTS.unreachable },
  { type: "MemoryPressure", status: "True", key: TAINTS.memoryPressure },
  { type: "DiskPressure", status: "True", key: TAINTS.diskPressure },
  { type: "NetworkUnavailable", status: "True", key: TAINTS.networkUnavailable },
  { type: "PIDPressure", status: "True", key: TAINTS.pidPressure },
];

/** The keys of all taints that follow from conditions. */
export const CONDITION_TAINTS: readonly string[] = BY_CONDITION.map(({ key }) => key);

/** The keys of the `NoSchedule` taints of a node with these conditions. */
export function conditionTaints(conditions: readonly Condition[]): string[] {
  return BY_CONDITION.filter(({ type, status }) =>
    conditions.some((one) => one?.type === type && one.status === status)
  ).map(({ key }) => key);
}
