import {
  type Condition,
  type EdgeApplication,
  type EdgeApplicationStatus,
  type KubeObject,
} from "../../core/api/mod.ts";
import { type Ms, toTime } from "../../core/base/mod.ts";
import type { Problem, Rendered } from "./render.ts";

/** How one object of an application stands; no problem when it is as wanted and ready. */
export interface Outcome {
  readonly rendered: Rendered;
  readonly problem?: Problem;
}

/** Longest message of a condition. */
const MOST_CHARS = 1000;

/** Why an object that is as wanted is not ready; `undefined` when it is, or cannot be more than there. */
export function notReady(object: KubeObject): Problem | undefined {
  const { spec = {}, status = {}, metadata } = object;
  const progressing = (message: string): Problem => ({ reason: "Progressing", message });
  const pods = (ready: unknown, wanted: unknown): Problem | undefined => {
    if (seen(status, metadata) && Number(ready ?? 0) === Number(wanted)) return undefined;
    return progressing(`${Number(ready ?? 0)} of ${Number(wanted)} pods are ready`);
  };
  switch (`${object.apiVersion.split("/")[0]}/${object.kind}`) {
    case "apps/Deployment":
    case "apps/ReplicaSet":
      return pods(status.readyReplicas, spec.replicas ?? 1);
    case "apps/DaemonSet":
      return pods(status.numberReady, status.desiredNumberScheduled ?? 0);
    case "v1/Pod": {
      if (status.phase === "Succeeded") return undefined;
      const conditions: readonly Condition[] = status.conditions ?? [];
      const ready = conditions.some((one) => one.type === "Ready" && one.status === "True");
      return ready ? undefined : progressing(`the pod is ${status.phase ?? "Pending"}`);
    }
    default:
      return undefined;
  }
}

function seen(
  status: { observedGeneration?: number },
  { generation = 0 }: { generation?: number },
): boolean {
  return (status.observedGeneration ?? 0) >= generation;
}

/** The status of an application. Its `Available` condition keeps its time while it says the same. */
export function applicationStatus(
  app: EdgeApplication,
  outcomes: readonly Outcome[],
  { now }: { readonly now: Ms },
): EdgeApplicationStatus {
  return {
    workloadStatus: outcomes.map(({ rendered, problem }) => ({
      identifier: identifierOf(app, rendered),
      conditions: problem ? "Processing" : "Available",
      ...(problem ? { reason: problem.reason, message: problem.message } : {}),
    })),
    conditions: [available(app, outcomes, { now })],
  };
}

function identifierOf(app: EdgeApplication, { ordinal, apiVersion, kind, name }: Rendered) {
  const slash = apiVersion.indexOf("/");
  const { namespace } = app.metadata;
  return {
    ordinal,
    ...(slash > 0 ? { group: apiVersion.slice(0, slash) } : {}),
    ...(apiVersion ? { version: apiVersion.slice(slash + 1) } : {}),
    ...(kind ? { kind } : {}),
    ...(namespace === undefined ? {} : { namespace }),
    ...(name ? { name } : {}),
  };
}

function available(
  app: EdgeApplication,
  outcomes: readonly Outcome[],
  { now }: { readonly now: Ms },
) {
  const bad = outcomes.filter(({ problem }) => problem !== undefined);
  // What needs a person comes before what only takes time.
  const first = bad.find(({ problem }) => problem?.reason !== "Progressing") ?? bad[0];
  const message = bad.map(({ rendered: { ordinal, kind, name }, problem }) =>
    `${kind || `manifest ${ordinal}`}${name ? ` ${name}` : ""}: ${problem?.message}`
  ).join("; ").slice(0, MOST_CHARS);
  const condition = {
    type: "Available",
    status: first ? "False" as const : "True" as const,
    reason: first?.problem?.reason ?? "Available",
    message: first ? message : `all ${outcomes.length} objects are as wanted`,
    ...(app.metadata.generation === undefined
      ? {}
      : { observedGeneration: app.metadata.generation }),
  };
  const { lastTransitionTime, ...before } = app.status?.conditions
    ?.find(({ type }) => type === "Available") ?? { lastTransitionTime: undefined, status: "" };
  const kept = before.status === condition.status ? lastTransitionTime : undefined;
  return { ...condition, lastTransitionTime: kept ?? toTime(now) };
}
