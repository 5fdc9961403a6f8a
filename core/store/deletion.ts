import { AppError, fromTime, type Ms, toTime } from "../base/mod.ts";
import { isFinalPhase, type KubeObject, type ResourceDef } from "../api/mod.ts";
import { copyObject, deepEqual } from "./json.ts";
import { checkPreconditions } from "./messages.ts";
import { isGone, type Outcome } from "./semantics.ts";
import type { DeleteOptions } from "./store.ts";

/** Seconds a pod gets when neither the request nor its spec says; Kubernetes' default. */
const DEFAULT_POD_GRACE = 30;

const PROPAGATION = { Foreground: "foregroundDeletion", Orphan: "orphan", Background: "" } as const;

/**
 * What a delete does: removes at once, or marks the object (deletionTimestamp, grace, propagation
 * finalizers) and leaves the rest to whoever holds it. Source: apiserver `rest.BeforeDelete` and
 * `registry.Store.Delete`.
 *
 * @throws {AppError} Conflict for a failed precondition; BadRequest for a bad grace period
 */
export function planDelete(
  resource: ResourceDef,
  current: KubeObject,
  options: DeleteOptions,
  now: Ms,
): Outcome {
  checkPreconditions(resource, current, options.preconditions);
  const asked = options.gracePeriodSeconds;
  if (asked !== undefined && (!Number.isSafeInteger(asked) || asked < 0)) {
    throw new AppError(
      "BadRequest",
      `gracePeriodSeconds must be a whole number >= 0, not ${asked}`,
    );
  }
  const object = copyObject(current);
  setPropagation(object, options.propagationPolicy);
  if (object.metadata.deletionTimestamp === undefined) {
    mark(object, graceOf(resource, object, asked), now);
  } else {
    shorten(object, asked);
  }
  if (isGone(object)) return { action: "remove" };
  if (deepEqual(object, current)) return { action: "keep" };
  if (object.kind === "Namespace" && resource.group === "") {
    object.status = { ...object.status, phase: "Terminating" };
  }
  return { action: "store", object };
}

function setPropagation(object: KubeObject, policy: DeleteOptions["propagationPolicy"]): void {
  if (policy === undefined) return;
  const own: readonly string[] = Object.values(PROPAGATION);
  const others = (object.metadata.finalizers ?? []).filter((name) => !own.includes(name));
  const finalizer = PROPAGATION[policy];
  const finalizers = finalizer === "" ? others : [...others, finalizer];
  if (finalizers.length > 0) object.metadata.finalizers = finalizers;
  else delete object.metadata.finalizers;
}

/** Only pods that a node may be running get a grace; source: `podStrategy.CheckGracefulDelete`. */
function graceOf(resource: ResourceDef, object: KubeObject, asked: number | undefined): number {
  if (resource.group !== "" || resource.kind !== "Pod" || !object.spec?.nodeName) return 0;
  if (isFinalPhase(object.status?.phase)) return 0;
  const own: unknown = object.spec.terminationGracePeriodSeconds;
  const grace = asked ?? (Number.isSafeInteger(own) ? Number(own) : DEFAULT_POD_GRACE);
  // Kubernetes turns a negative grace in a spec into one second.
  return grace < 0 ? 1 : grace;
}

function mark(object: KubeObject, grace: number, now: Ms): void {
  const meta = object.metadata;
  meta.deletionTimestamp = toTime((now + grace * 1000) as Ms);
  meta.deletionGracePeriodSeconds = grace;
  if (meta.generation !== undefined) meta.generation += 1;
}

/** A second delete can only shorten the grace. */
function shorten(object: KubeObject, asked: number | undefined): void {
  const meta = object.metadata;
  const grace = meta.deletionGracePeriodSeconds ?? 0;
  if (asked === undefined || asked >= grace) return;
  const at = fromTime(meta.deletionTimestamp);
  if (at !== undefined) meta.deletionTimestamp = toTime((at + (asked - grace) * 1000) as Ms);
  meta.deletionGracePeriodSeconds = asked;
}
