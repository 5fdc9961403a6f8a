import type { Deployment, ReplicaSet } from "../../core/api/mod.ts";
import { resolveCount } from "./template.ts";

/** How far a rollout may go beyond and below the wanted number. */
export interface RolloutBounds {
  readonly surge: number;
  readonly unavailable: number;
}

/** The bounds of a Deployment. Both being 0 would stand still, so then one may be unavailable. */
export function boundsOf(deployment: Deployment): RolloutBounds {
  if (deployment.spec.strategy?.type === "Recreate") return { surge: 0, unavailable: 0 };
  const replicas = deployment.spec.replicas ?? 1;
  const { maxSurge = "25%", maxUnavailable = "25%" } = deployment.spec.strategy?.rollingUpdate ??
    {};
  const surge = resolveCount(maxSurge, replicas, "up");
  const unavailable = Math.min(replicas, resolveCount(maxUnavailable, replicas, "down"));
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}

/** How many pods a ReplicaSet wants. */
export function wants(set: ReplicaSet): number {
  return set.spec.replicas ?? 1;
}

function sum(sets: readonly ReplicaSet[], of: (set: ReplicaSet) => number): number {
  return sets.reduce((total, set) => total + of(set), 0);
}

/** A ReplicaSet and the number that it shall have. */
export interface Scaling {
  readonly set: ReplicaSet;
  readonly replicas: number;
}

/** How many pods the newest ReplicaSet may have now: what fits beside the old ones. */
export function newSetReplicas(
  deployment: Deployment,
  options: { current: ReplicaSet | undefined; old: readonly ReplicaSet[] },
): number {
  const { current, old } = options;
  const replicas = deployment.spec.replicas ?? 1;
  const has = current ? wants(current) : 0;
  if (deployment.spec.strategy?.type === "Recreate") return replicas;
  if (has >= replicas) return replicas;
  const room = replicas + boundsOf(deployment).surge - has - sum(old, wants);
  return has + Math.max(0, Math.min(room, replicas - has));
}

/**
 * How far the old ReplicaSets go down now, so that enough pods stay available. Pods that are not
 * available anyway go first, wherever they are. Source: `reconcileOldReplicaSets`.
 */
export function shrinkOld(
  deployment: Deployment,
  options: { current: ReplicaSet; old: readonly ReplicaSet[] },
): Scaling[] {
  const { current, old } = options;
  const replicas = deployment.spec.replicas ?? 1;
  const least = replicas - boundsOf(deployment).unavailable;
  const available = (set: ReplicaSet): number => set.status?.availableReplicas ?? 0;
  const newUnavailable = Math.max(0, wants(current) - available(current));
  let budget = sum([...old, current], wants) - least - newUnavailable;
  const scaled = new Map(old.map((set) => [set, wants(set)]));
  for (const set of old) {
    const unhealthy = Math.max(0, wants(set) - available(set));
    const cut = Math.max(0, Math.min(unhealthy, budget));
    scaled.set(set, wants(set) - cut);
    budget -= cut;
  }
  let spare = sum([...old, current], available) - least;
  for (const set of old) {
    const left = scaled.get(set) ?? 0;
    const cut = Math.max(0, Math.min(left, spare, budget));
    scaled.set(set, left - cut);
    spare -= cut;
    budget -= cut;
  }
  return [...scaled].filter(([set, to]) => to !== wants(set)).map(([set, to]) => ({
    set,
    replicas: to,
  }));
}
