import { type Json, jsonEqual } from "../patch/mod.ts";
import type { KubeObject } from "../object.ts";
import { forbiddenField, invalid, type Problems } from "./field_error.ts";
import { podSpecProblems } from "./pod_spec.ts";

/** What of a pod's spec may change, in Kubernetes' words. */
const MAY_CHANGE = "pod updates may not change fields other than `spec.containers[*].image`, " +
  "`spec.initContainers[*].image`, `spec.activeDeadlineSeconds`, `spec.tolerations` (only " +
  "additions to existing tolerations), `spec.terminationGracePeriodSeconds` (allow it to be set " +
  "to 1 if it was previously negative)";

/** The problems of a Pod, and of its change when `old` is given. */
export function podProblems(pod: KubeObject, old?: KubeObject): Problems {
  const problems = podSpecProblems("spec", pod["spec"]);
  if (problems.length > 0) return problems;
  if (!old) {
    return pod["spec"].ephemeralContainers?.length > 0
      ? [forbiddenField("spec.ephemeralContainers", "cannot be set on create")]
      : [];
  }
  const deadline = deadlineProblems(pod["spec"], old["spec"]);
  if (deadline.length > 0) return deadline;
  return jsonEqual(fixed(pod["spec"], old["spec"]), fixed(old["spec"], pod["spec"]))
    ? []
    : [forbiddenField("spec", MAY_CHANGE)];
}

/** A deadline may only come nearer. */
// deno-lint-ignore no-explicit-any -- a pod spec that has been validated
function deadlineProblems(spec: any, before: any): Problems {
  const field = "spec.activeDeadlineSeconds";
  const [now, then] = [spec.activeDeadlineSeconds ?? null, before?.activeDeadlineSeconds ?? null];
  if (then === null || now === then) return [];
  if (now === null) {
    return [invalid(field, now, "must not update from a positive integer to nil value")];
  }
  return now < then ? [] : [invalid(field, now, "must be less than or equal to previous value")];
}

// deno-lint-ignore no-explicit-any -- a pod spec that has been validated
function fixed(spec: any, other: any): Json {
  const copy = structuredClone(spec);
  delete copy.activeDeadlineSeconds;
  for (const list of [copy.containers, copy.initContainers]) {
    for (const container of list ?? []) delete container.image;
  }
  const [mine, theirs] = [spec.tolerations ?? [], other?.tolerations ?? []];
  const [less, more] = mine.length <= theirs.length ? [mine, theirs] : [theirs, mine];
  const grown = less.every((one: Json) => more.some((two: Json) => jsonEqual(one, two)));
  if (grown) delete copy.tolerations;
  return copy;
}
