import {
  conditionOf,
  type EdgeApplication,
  type EdgeApplicationStatus,
  type KubeObject,
  splitApiVersion,
} from "../../core/api/mod.ts";
import { type Ms, toTime } from "../../core/base/mod.ts";
import { mayHaveMade, type Problem, type Rendered } from "./render.ts";
import { endOf, type Finished } from "./runs.ts";

/** How one object of an application stands; no problem when it is as wanted and ready. */
export interface Outcome {
  readonly rendered: Rendered;
  readonly problem?: Problem;
  /** What is to be remembered of it, when it ran to its end. */
  readonly finished?: Finished;
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
    case "apps/StatefulSet":
      return pods(status.readyReplicas, spec.replicas ?? 1);
    case "batch/Job": {
      const end = endOf(object);
      return end
        ? howItEnded({ ...end, kind: "Job" }).problem
        : progressing("the job is not complete");
    }
    case "apps/DaemonSet":
      return pods(status.numberReady, status.desiredNumberScheduled ?? 0);
    case "v1/Pod": {
      if (status.phase === "Succeeded") return undefined;
      const ready = conditionOf(object, "Ready")?.status === "True";
      return ready ? undefined : progressing(`the pod is ${status.phase ?? "Pending"}`);
    }
    default: {
      // By these words most kinds tell how they stand; who says nothing is there, and that is all.
      const word = conditionOf(object, "Ready") ?? conditionOf(object, "Available");
      if (word?.status !== "False") return undefined;
      return progressing(word.message || `${word.type} is False: ${word.reason ?? "no reason"}`);
    }
  }
}

/** The problem that the end of something is; none when it was a good one. */
export function howItEnded(
  { kind, result, message = "" }: Pick<Finished, "kind" | "result" | "message">,
): Pick<Outcome, "problem"> {
  if (result === "Complete") return {};
  const what = `the ${kind.toLowerCase()} failed`;
  return { problem: { reason: "Progressing", message: message ? `${what}: ${message}` : what } };
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
  const finished = finishedOf(app, outcomes);
  return {
    workloadStatus: outcomes.map(({ rendered, problem }) => ({
      identifier: identifierOf(app, rendered),
      conditions: problem ? "Processing" : "Available",
      ...(problem ? { reason: problem.reason, message: problem.message } : {}),
    })),
    ...(finished.length > 0 ? { finished } : {}),
    conditions: [available(app, outcomes, { now })],
  };
}

/** What is remembered of runs: what the objects say, and what a slip in a manifest must not undo. */
function finishedOf(app: EdgeApplication, outcomes: readonly Outcome[]): Finished[] {
  const now = outcomes.flatMap(({ finished }) => finished ?? []);
  const spoilt = outcomes.map(({ rendered }) => rendered).filter(({ problem }) => problem);
  const kept = (app.status?.finished ?? []).filter((one) =>
    !now.some(({ kind, name }) => kind === one.kind && name === one.name) &&
    spoilt.some((rendered) => mayHaveMade(rendered, one))
  );
  return [...now, ...kept];
}

function identifierOf(app: EdgeApplication, { ordinal, apiVersion, kind, name }: Rendered) {
  const { group, version } = splitApiVersion(apiVersion);
  const { namespace } = app.metadata;
  return {
    ordinal,
    ...(group ? { group } : {}),
    ...(apiVersion ? { version } : {}),
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
  const before = conditionOf(app, "Available");
  const kept = before?.status === condition.status ? before.lastTransitionTime : undefined;
  return { ...condition, lastTransitionTime: kept ?? toTime(now) };
}
