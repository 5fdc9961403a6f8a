import type { KubeObject } from "../object.ts";
import { forbiddenField, type Problems } from "./field_error.ts";

/** What a node writes on the pods that it makes from manifests, and on their mirrors at the hub. */
const OF_NODES: Readonly<Record<string, string>> = {
  "kubernetes.io/config.mirror": "mirror pod annotation",
  "kubernetes.io/config.source": "static pod annotation",
  "kubernetes.io/config.hash": "static pod annotation",
};

/**
 * The annotations that make a static pod or its mirror, where a user adds, changes or takes away
 * one: on a Pod, or in the pod template of a workload. A pod that only claims to be a mirror would
 * be kept from its node. A rule for API users: nodes write their own objects, with these
 * annotations. `old` is the state before, for an update.
 */
export function nodeAnnotationProblems(object: KubeObject, old?: KubeObject): Problems {
  if (object.kind === "Pod") return changes("metadata.annotations", object, old);
  const [template, before] = [object, old].map((one) => one?.["spec"]?.template);
  return changes("spec.template.metadata.annotations", template, before);
}

// deno-lint-ignore no-explicit-any -- what holds metadata, of any form
function changes(field: string, holder: any, old: any): Problems {
  const after = holder?.metadata?.annotations;
  const before = old?.metadata?.annotations;
  return Object.entries(OF_NODES).flatMap(([key, what]) => {
    const [from, to] = [before?.[key], after?.[key]];
    if (from === to) return [];
    const verb = from === undefined ? "add" : to === undefined ? "remove" : "change";
    const why = `may not ${verb} ${what}: only nodes do, on the pods of their manifests`;
    return [forbiddenField(`${field}[${key}]`, why)];
  });
}
