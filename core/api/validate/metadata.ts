import type { KubeObject, ResourceDef } from "../object.ts";
import { forbiddenField, invalid, type Problems, required, wrongType } from "./field_error.ts";
import {
  annotationProblems,
  keyProblems,
  labelProblems,
  type NameForm,
  nameProblem,
} from "./names.ts";

/** Kinds whose names are stricter than a DNS subdomain. */
const NAME_FORMS: Readonly<Record<string, NameForm>> = {
  Namespace: "label",
  Service: "label1035",
};

/** The problems of an object's metadata. */
export function metadataProblems(resource: ResourceDef, object: KubeObject): Problems {
  const meta = object.metadata;
  const problems: Problems = [];
  const form = NAME_FORMS[resource.kind] ?? "subdomain";
  if (!meta.name && !meta.generateName) {
    problems.push(required("metadata.name", "name or generateName is required"));
  } else if (meta.name) {
    const problem = nameProblem("metadata.name", meta.name, form);
    if (problem) problems.push(problem);
  } else {
    // The store appends letters and digits, so a trailing '-' or '.' is fine here.
    const start = String(meta.generateName).replace(/[-.]+$/, "");
    const problem = nameProblem("metadata.generateName", start || "x", form);
    if (problem) problems.push(problem);
  }
  if (resource.namespaced && !meta.namespace) problems.push(required("metadata.namespace"));
  if (resource.namespaced && meta.namespace) {
    const problem = nameProblem("metadata.namespace", meta.namespace, "label");
    if (problem) problems.push(problem);
  }
  if (!resource.namespaced && meta.namespace) {
    problems.push(forbiddenField("metadata.namespace", "not allowed on this type"));
  }
  return [
    ...problems,
    ...labelProblems("metadata.labels", meta.labels),
    ...annotationProblems("metadata.annotations", meta.annotations),
    ...finalizerProblems(meta.finalizers),
    ...ownerProblems(meta.ownerReferences),
  ];
}

function finalizerProblems(finalizers: unknown): Problems {
  if (finalizers === undefined || finalizers === null) return [];
  if (!Array.isArray(finalizers)) return [wrongType("metadata.finalizers", finalizers, "array")];
  return finalizers.flatMap((one: unknown) =>
    typeof one === "string"
      ? keyProblems("metadata.finalizers", one)
      : [wrongType("metadata.finalizers", one, "string")]
  );
}

function ownerProblems(owners: unknown): Problems {
  if (owners === undefined || owners === null) return [];
  if (!Array.isArray(owners)) return [wrongType("metadata.ownerReferences", owners, "array")];
  const problems: Problems = [];
  owners.forEach((owner: Record<string, unknown> | null, index) => {
    for (const field of ["apiVersion", "kind", "name", "uid"]) {
      const value = owner?.[field];
      const at = `metadata.ownerReferences[${index}].${field}`;
      if (typeof value !== "string" || value === "") problems.push(required(at));
    }
  });
  if (owners.filter((owner) => owner?.controller === true).length > 1) {
    problems.push(invalid(
      "metadata.ownerReferences",
      owners.map((owner) => owner?.name),
      "only one reference can have controller set to true",
    ));
  }
  return problems;
}
