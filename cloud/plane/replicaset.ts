import {
  type Condition,
  conditionOf,
  matchLabels,
  type Pod,
  type ReplicaSet,
  RESOURCES,
} from "../../core/api/mod.ts";
import { fromTime, type Ms, toTime } from "../../core/base/mod.ts";
import { type Action, jsonEqual } from "../../core/control/mod.ts";
import { claim } from "./claim.ts";
import { availableIn, isActive, isReady, podFromTemplate } from "./pods.ts";

/** What a pure rule asks for. */
export interface Plan {
  readonly actions: readonly Action[];
  /** When to look again although nothing changed. */
  readonly again?: Ms;
}

/** Pods that one step makes or removes at most, so that a wrong number does no harm at once. */
const BURST = 500;

/** Makes a ReplicaSet's pods as many as it wants. Pure; `pods` are those of its namespace. */
export function planReplicaSet(set: ReplicaSet, pods: readonly Pod[], now: Ms): Plan {
  const { mine, actions: claims } = claim({
    owner: set,
    selector: set.spec.selector,
    candidates: pods,
    resource: RESOURCES.pods,
  });
  const active = mine.filter(isActive);
  const actions: Action[] = [...claims];
  if (set.metadata.deletionTimestamp === undefined) {
    const missing = (set.spec.replicas ?? 1) - active.length;
    for (let i = 0; i < Math.min(missing, BURST); i++) {
      const object = podFromTemplate(set.spec.template, set);
      actions.push({ do: "create", resource: RESOURCES.pods, object });
    }
    if (missing < 0) {
      for (const object of victims(active, Math.min(-missing, BURST))) {
        actions.push({ do: "delete", resource: RESOURCES.pods, object });
      }
    }
  }
  const { status, again } = statusOf(set, active, now);
  if (!jsonEqual(status, set.status)) {
    actions.push({ do: "status", resource: RESOURCES.replicasets, object: { ...set, status } });
  }
  return { actions, ...(again === undefined ? {} : { again }) };
}

/** The status that follows from the pods that there are. */
function statusOf(set: ReplicaSet, active: readonly Pod[], now: Ms) {
  const template = Object.entries(set.spec.template.metadata?.labels ?? {}).map(([key, value]) => ({
    key,
    operator: "In" as const,
    values: [value],
  }));
  const waits = active.map((pod) => availableIn(pod, set.spec.minReadySeconds ?? 0, now));
  const soon = waits.filter((wait) => wait !== undefined && wait > 0) as Ms[];
  const failure = conditionOf(set, "ReplicaFailure");
  const status: NonNullable<ReplicaSet["status"]> = {
    replicas: active.length,
    fullyLabeledReplicas: active.filter((pod) => matchLabels(template, pod.metadata.labels)).length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: waits.filter((wait) => wait === 0).length,
    observedGeneration: set.metadata.generation ?? 0,
    ...(failure ? { conditions: [failure] } : {}),
  };
  return { status, again: soon.length > 0 ? Math.min(...soon) as Ms : undefined };
}

/** The condition that says that pods cannot be made; `undefined` text takes it away. */
export function withFailure(set: ReplicaSet, message: string | undefined, now: Ms): ReplicaSet {
  const others = (set.status?.conditions ?? []).filter(({ type }) => type !== "ReplicaFailure");
  const failure: Condition[] = message === undefined ? [] : [{
    type: "ReplicaFailure",
    status: "True",
    reason: "FailedCreate",
    message,
    lastTransitionTime: conditionOf(set, "ReplicaFailure")?.lastTransitionTime ?? toTime(now),
  }];
  const conditions = [...others, ...failure];
  const { conditions: _, ...rest } = set.status ?? { replicas: 0 };
  return { ...set, status: { ...rest, ...(conditions.length > 0 ? { conditions } : {}) } };
}

/**
 * The `count` pods whose loss hurts least. Source: `controller.ActivePodsWithRanks`: unbound before
 * bound, not running before running, not ready before ready, cheaper ones, those on a node with
 * more siblings, ready for a shorter time, restarted more often, newer.
 */
export function victims(pods: readonly Pod[], count: number): Pod[] {
  const onNode = new Map<string, number>();
  for (const { spec: { nodeName = "" } } of pods) {
    onNode.set(nodeName, (onNode.get(nodeName) ?? 0) + 1);
  }
  const rank = (pod: Pod): number[] => [
    pod.spec.nodeName ? 1 : 0,
    { Pending: 0, Unknown: 1, Running: 2 }[String(pod.status?.phase)] ?? 0,
    isReady(pod) ? 1 : 0,
    deletionCost(pod),
    -(onNode.get(pod.spec.nodeName ?? "") ?? 0),
    -(fromTime(conditionOf(pod, "Ready")?.lastTransitionTime) ?? 0),
    -Math.max(0, ...(pod.status?.containerStatuses ?? []).map((one) => one.restartCount)),
    -(fromTime(pod.metadata.creationTimestamp) ?? 0),
  ];
  const ranked = pods.map((pod) => ({ pod, rank: rank(pod) }));
  ranked.sort((a, b) => {
    for (let i = 0; i < a.rank.length; i++) {
      const difference = (a.rank[i] ?? 0) - (b.rank[i] ?? 0);
      if (difference !== 0) return difference;
    }
    return a.pod.metadata.name < b.pod.metadata.name ? -1 : 1;
  });
  return ranked.slice(0, count).map(({ pod }) => pod);
}

function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.["controller.kubernetes.io/pod-deletion-cost"];
  const cost = Number(text ?? 0);
  return Number.isInteger(cost) ? cost : 0;
}
