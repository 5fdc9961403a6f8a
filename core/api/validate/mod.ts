import type { KubeObject, ResourceDef } from "../object.ts";
import { priorityClassProblems, runtimeClassProblems } from "./classes.ts";
import type { Problems } from "./field_error.ts";
import {
  configProblems,
  eventProblems,
  leaseProblems,
  nodeProblems,
  secretProblems,
  serviceProblems,
} from "./kinds.ts";
import { metadataProblems } from "./metadata.ts";
import { podProblems } from "./pod.ts";
import { customProblems } from "../kubeedge/check.ts";
import { validateWasmFunction } from "../wasm_function.ts";
import { workloadProblems } from "./workloads.ts";

export { setDefaults } from "./defaults.ts";
export * from "./field_error.ts";
export { type NameForm, nameProblem } from "./names.ts";
export { nodeAnnotationProblems } from "./node_annotations.ts";
export { isPodPart, type PodPart, podPartProblems, takePodPart } from "./pod_parts.ts";
export { podSpecProblems } from "./pod_spec.ts";

/** Finds the problems of an object of one kind; `old` is the state before, for an update. */
export type Validator = (object: KubeObject, old?: KubeObject) => Problems;

const VALIDATORS: Readonly<Record<string, Validator>> = {
  "/Pod": podProblems,
  "/ConfigMap": configProblems,
  "/Secret": secretProblems,
  "/Service": serviceProblems,
  "/Node": nodeProblems,
  "/Event": eventProblems,
  "apps/Deployment": workloadProblems,
  "apps/ReplicaSet": workloadProblems,
  "apps/DaemonSet": workloadProblems,
  "coordination.k8s.io/Lease": leaseProblems,
  "scheduling.k8s.io/PriorityClass": priorityClassProblems,
  "node.k8s.io/RuntimeClass": runtimeClassProblems,
  "skerry.dev/WasmFunction": wasmFunctionProblems,
};

/** Its own messages begin with the field, which Kubernetes' sentence adds by itself. */
function wasmFunctionProblems(object: KubeObject): Problems {
  return validateWasmFunction(object).map((cause) => {
    const lead = `${cause.field}: `;
    const message = cause.message.startsWith(lead)
      ? cause.message.slice(lead.length)
      : cause.message;
    return { ...cause, message };
  });
}

/**
 * Finds what is wrong with an object that a client wants to create, or to change from `old`.
 * Kinds without rules of their own get those of metadata, and of their schema where they have one. Never throws, whatever the object holds.
 */
export function validateObject(
  resource: ResourceDef,
  object: KubeObject,
  old?: KubeObject,
): Problems {
  const problems = metadataProblems(resource, object);
  const validate = VALIDATORS[`${resource.group}/${resource.kind}`];
  return [
    ...problems,
    ...(validate ? validate(object, old) : customProblems(resource, object)),
  ];
}
