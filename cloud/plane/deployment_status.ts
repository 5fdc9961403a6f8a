import {
  type Condition,
  conditionOf,
  type Deployment,
  type ReplicaSet,
} from "../../core/api/mod.ts";
import { fromTime, type Ms, ms, toTime } from "../../core/base/mod.ts";
import { boundsOf } from "./rollout.ts";

type Status = NonNullable<Deployment["status"]>;

/** The status that follows from the ReplicaSets that there are, and when to look again. */
export function deploymentStatus(
  deployment: Deployment,
  options: { current: ReplicaSet | undefined; sets: readonly ReplicaSet[]; now: Ms },
): { status: Status; again?: Ms } {
  const { current, sets, now } = options;
  const sum = (of: (status: NonNullable<ReplicaSet["status"]>) => number | undefined): number =>
    sets.reduce((total, set) => total + (set.status ? of(set.status) ?? 0 : 0), 0);
  const wanted = deployment.spec.replicas ?? 1;
  const available = sum((status) => status.availableReplicas);
  const counts = {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: sum((status) => status.replicas),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sum((status) => status.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, wanted - available),
  };
  const progressing = progressingCondition(deployment, { current, counts, now });
  const conditions = [
    availableCondition(deployment, available, now),
    ...(progressing.condition ? [progressing.condition] : []),
  ];
  const { collisionCount } = deployment.status ?? {};
  return {
    status: {
      ...counts,
      conditions,
      ...(collisionCount === undefined ? {} : { collisionCount }),
    },
    ...(progressing.again === undefined ? {} : { again: progressing.again }),
  };
}

/** Whether all pods are of the newest template and available, and no others are left. */
export function isComplete(deployment: Deployment, counts: Partial<Status>): boolean {
  const wanted = deployment.spec.replicas ?? 1;
  return counts.updatedReplicas === wanted && counts.replicas === wanted &&
    counts.availableReplicas === wanted &&
    (counts.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0);
}

function availableCondition(deployment: Deployment, available: number, now: Ms): Condition {
  const enough = available >= (deployment.spec.replicas ?? 1) - boundsOf(deployment).unavailable;
  return condition(deployment, now, {
    type: "Available",
    status: enough ? "True" : "False",
    reason: enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
    message: enough
      ? "Deployment has minimum availability."
      : "Deployment does not have minimum availability.",
  });
}

/** Kubernetes' rules on `Progressing`, in the words that `kubectl rollout status` reads. */
function progressingCondition(
  deployment: Deployment,
  options: { current: ReplicaSet | undefined; counts: Status; now: Ms },
): { condition?: Condition; again?: Ms } {
  const { current, counts, now } = options;
  const before = conditionOf(deployment, "Progressing");
  if (deployment.spec.paused) {
    return {
      condition: condition(deployment, now, {
        type: "Progressing",
        status: "Unknown",
        reason: "DeploymentPaused",
        message: "Deployment is paused",
      }),
    };
  }
  const name = current ? `ReplicaSet "${current.metadata.name}"` : "ReplicaSet";
  if (isComplete(deployment, counts)) {
    return {
      condition: condition(deployment, now, {
        type: "Progressing",
        status: "True",
        reason: "NewReplicaSetAvailable",
        message: `${name} has successfully progressed.`,
      }),
    };
  }
  const moved = hasMoved(deployment, counts) || before?.reason === "DeploymentPaused" ||
    (before?.reason === "NewReplicaSetAvailable");
  if (before && !moved) {
    const limit = ms((deployment.spec.progressDeadlineSeconds ?? 600) * 1000);
    const since = fromTime(before.lastUpdateTime ?? before.lastTransitionTime) ?? now;
    const left = since + limit - now;
    if (before.reason === "ProgressDeadlineExceeded" || left <= 0) {
      return {
        condition: condition(deployment, now, {
          type: "Progressing",
          status: "False",
          reason: "ProgressDeadlineExceeded",
          message: `${name} has timed out progressing.`,
        }),
      };
    }
    return { condition: before, again: ms(left + 1000) };
  }
  return {
    condition: {
      ...condition(deployment, now, {
        type: "Progressing",
        status: "True",
        reason: before ? "ReplicaSetUpdated" : "NewReplicaSetCreated",
        message: before ? `${name} is progressing.` : `Created new replica set.`,
      }),
      lastUpdateTime: toTime(now),
    },
    again: ms((deployment.spec.progressDeadlineSeconds ?? 600) * 1000 + 1000),
  };
}

/** Whether the numbers have come nearer to the goal since the status was last written. */
function hasMoved(deployment: Deployment, counts: Status): boolean {
  const old = deployment.status ?? {};
  const stale = (status: Status): number => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (counts.updatedReplicas ?? 0) > (old.updatedReplicas ?? 0) ||
    stale(counts) < stale(old) ||
    (counts.readyReplicas ?? 0) > (old.readyReplicas ?? 0) ||
    (counts.availableReplicas ?? 0) > (old.availableReplicas ?? 0) ||
    (old.observedGeneration ?? 0) < (deployment.metadata.generation ?? 0);
}

/** The condition with times: those of the one before where nothing changed. */
function condition(
  deployment: Deployment,
  now: Ms,
  next: Pick<Condition, "type" | "status" | "reason" | "message">,
): Condition {
  const before = conditionOf(deployment, next.type);
  const at = toTime(now);
  if (before && before.status === next.status && before.reason === next.reason) {
    return { ...before, ...next };
  }
  const transition = before?.status === next.status ? before.lastTransitionTime ?? at : at;
  return { ...next, lastUpdateTime: at, lastTransitionTime: transition };
}
