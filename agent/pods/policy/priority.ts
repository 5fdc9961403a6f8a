import type { Pod } from "../../../core/api/mod.ts";

/** Kubernetes' `SystemCriticalPriority`: pods of this or more keep the node itself going. */
export const CRITICAL_PRIORITY = 2_000_000_000;

/** The classes that every cluster has; others come with their number from the API server. */
const CLASSES: Readonly<Record<string, number>> = {
  "system-cluster-critical": CRITICAL_PRIORITY,
  "system-node-critical": CRITICAL_PRIORITY + 1000,
};

/** Whether a pod is the node's own, from a manifest; one of the hub may only look so. */
export type IsOwn = (pod: Pod) => boolean;

/** A pod's priority, 0 without one. */
export function priorityOf({ spec }: Pod): number {
  const given: unknown = spec["priority"];
  if (typeof given === "number") return given;
  const name = String(spec["priorityClassName"] ?? "");
  return Object.hasOwn(CLASSES, name) ? CLASSES[name] ?? 0 : 0;
}

/** Whether a pod comes before others, as the kubelet sees it (`IsCriticalPod`). */
export function isCritical(pod: Pod, isOwn: IsOwn): boolean {
  return isOwn(pod) || priorityOf(pod) >= CRITICAL_PRIORITY;
}
