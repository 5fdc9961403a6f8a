import { createHash } from "node:crypto";
import {
  conditionOf,
  type EdgeApplication,
  type KubeObject,
  splitApiVersion,
} from "../../core/api/mod.ts";
import { type Ms, toTime } from "../../core/base/mod.ts";
import { canonicalJson } from "../../core/control/mod.ts";

/**
 * On a Job or Pod: what runs, as a digest of its manifest's spec with the target's overriders. What
 * ran to its end for a digest does not run again for it.
 */
export const RUN = "skerry.dev/run";

/** What an application's status remembers of something that ran to its end. */
export type Finished = NonNullable<NonNullable<EdgeApplication["status"]>["finished"]>[number];

/** Longest message that is remembered. */
const MOST_CHARS = 500;

/**
 * What a workload runs, when it runs to an end: a Job, or a Pod that is not restarted for ever. How
 * long it is kept afterwards is no part of that.
 */
export function runOf({ apiVersion, kind, spec }: KubeObject): string | undefined {
  const endless = spec?.restartPolicy !== "Never" && spec?.restartPolicy !== "OnFailure";
  if (!isJob({ apiVersion, kind }) && (!isPod({ apiVersion, kind }) || endless)) return undefined;
  const { ttlSecondsAfterFinished: _, ...rest } = spec ?? {};
  return createHash("sha256").update(canonicalJson(rest)).digest("hex");
}

/** The object with the mark of what it runs. */
export function withRun(object: KubeObject, run: string): KubeObject {
  const annotations = { ...object.metadata.annotations, [RUN]: run };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/**
 * How an object ended, when it did for good. What was put off its node did not end: it would be made
 * anew by whoever manages it.
 */
export function endOf(object: KubeObject): Pick<Finished, "result" | "message"> | undefined {
  if (isJob(object)) {
    if (conditionOf(object, "Complete")?.status === "True") return { result: "Complete" };
    const failed = conditionOf(object, "Failed");
    return failed?.status === "True" ? failure(failed.message) : undefined;
  }
  if (!isPod(object)) return undefined;
  const { phase, reason, message } = object["status"] ?? {};
  if (phase === "Succeeded") return { result: "Complete" };
  const disrupted = reason || conditionOf(object, "DisruptionTarget")?.status === "True";
  return phase === "Failed" && !disrupted ? failure(message) : undefined;
}

function failure(message: string | undefined): Pick<Finished, "result" | "message"> {
  return { result: "Failed", ...(message ? { message: message.slice(0, MOST_CHARS) } : {}) };
}

/** Whether `live` has ended and is of another run than `want`: it makes room for it. */
export function isOtherRun(want: KubeObject, live: KubeObject): boolean {
  const [run, other] = [want, live].map(({ metadata }) => metadata.annotations?.[RUN]);
  return run !== undefined && other !== undefined && run !== other && endOf(live) !== undefined;
}

/**
 * What is wanted before and after the end of a Job is remembered: its time to live comes afterwards,
 * for it must not be gone before anybody has seen how it ended. The time counts from its end.
 */
export function untilRemembered(want: KubeObject, finished: Finished | undefined): KubeObject {
  if (!isJob(want) || finished || want.spec?.ttlSecondsAfterFinished === undefined) return want;
  const { ttlSecondsAfterFinished: _, ...spec } = want.spec;
  return { ...want, spec };
}

/** What the status of an application remembers of an object, if it ran this. */
export function finishedIn(
  { status }: EdgeApplication,
  { apiVersion, kind, name, run }: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly name: string;
    readonly run?: string;
  },
): Finished | undefined {
  if (run === undefined) return undefined;
  return status?.finished?.find((one) =>
    one.run === run && one.name === name && one.kind === kind &&
    one.group === splitApiVersion(apiVersion).group
  );
}

/** What is to be remembered of an object that has ended; `undefined` of one that has not. */
export function finishedBy(
  object: KubeObject,
  { now }: { readonly now: Ms },
): Finished | undefined {
  const end = endOf(object);
  const run = object.metadata.annotations?.[RUN];
  if (!end || run === undefined) return undefined;
  const { apiVersion, kind, metadata: { name } } = object;
  return { group: splitApiVersion(apiVersion).group, kind, name, run, time: toTime(now), ...end };
}

function isJob({ apiVersion, kind }: Pick<KubeObject, "apiVersion" | "kind">): boolean {
  return kind === "Job" && splitApiVersion(apiVersion).group === "batch";
}

function isPod({ apiVersion, kind }: Pick<KubeObject, "apiVersion" | "kind">): boolean {
  return kind === "Pod" && apiVersion === "v1";
}
