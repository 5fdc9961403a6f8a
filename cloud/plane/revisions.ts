import type { Deployment, ReplicaSet } from "../../core/api/mod.ts";
import { fromTime } from "../../core/base/mod.ts";
import { sameTemplate } from "./template.ts";

/** Where a Deployment and its ReplicaSets keep the number of their revision. */
export const REVISION = "deployment.kubernetes.io/revision";
const HISTORY = "deployment.kubernetes.io/revision-history";
const DESIRED = "deployment.kubernetes.io/desired-replicas";
const MAX = "deployment.kubernetes.io/max-replicas";
/** Annotations of a Deployment that are its own and not its ReplicaSets'. */
const OWN = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  REVISION,
  HISTORY,
  DESIRED,
  MAX,
]);

/** The revision of a ReplicaSet, 0 when it has none. */
export function revisionOf(object: { metadata: { annotations?: Record<string, string> } }): number {
  const revision = Number(object.metadata.annotations?.[REVISION] ?? 0);
  return Number.isSafeInteger(revision) ? revision : 0;
}

/** The oldest ReplicaSet with the Deployment's present template. */
export function findNewSet(
  deployment: Deployment,
  sets: readonly ReplicaSet[],
): ReplicaSet | undefined {
  return [...sets].sort(byAge).find((set) =>
    sameTemplate(set.spec.template, deployment.spec.template)
  );
}

/** Older first. */
export function byAge(a: ReplicaSet, b: ReplicaSet): number {
  const age = (set: ReplicaSet): number => fromTime(set.metadata.creationTimestamp) ?? 0;
  return age(a) - age(b) || (a.metadata.name < b.metadata.name ? -1 : 1);
}

/**
 * The annotations of the newest ReplicaSet: those of the Deployment, its revision (one more than
 * every other's), the revisions it had before, and the numbers it was scaled by.
 */
export function newSetAnnotations(
  deployment: Deployment,
  options: { current: ReplicaSet | undefined; others: readonly ReplicaSet[]; surge: number },
): Record<string, string> {
  const { current, others, surge } = options;
  const annotations: Record<string, string> = { ...current?.metadata.annotations };
  for (const [key, value] of Object.entries(deployment.metadata.annotations ?? {})) {
    if (!OWN.has(key)) annotations[key] = value;
  }
  const before = current ? revisionOf(current) : 0;
  const wanted = Math.max(0, ...others.map(revisionOf)) + 1;
  if (before < wanted) {
    annotations[REVISION] = String(wanted);
    if (before > 0) {
      const history = annotations[HISTORY];
      annotations[HISTORY] = history ? `${history},${before}` : String(before);
    }
  }
  const replicas = deployment.spec.replicas ?? 1;
  annotations[DESIRED] = String(replicas);
  annotations[MAX] = String(replicas + surge);
  return annotations;
}
