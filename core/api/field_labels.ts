import { AppError } from "../base/mod.ts";
import type { FieldRequirement } from "./field_selectors.ts";
import { groupResource, type ResourceDef } from "./object.ts";

/** What every kind can be selected by. */
const COMMON: readonly string[] = ["metadata.name", "metadata.namespace"];

const INVOLVED = ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"];

/** By what else a kind can be selected: Kubernetes' `pkg/apis/core/v1/conversion.go` and its like. */
const LABELS: Readonly<Record<string, readonly string[]>> = {
  "pods": [
    ...["spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName"],
    ...["spec.hostNetwork", "status.phase", "status.podIP"],
    "status.nominatedNodeName",
  ],
  "nodes": ["spec.unschedulable"],
  "namespaces": ["status.phase"],
  "secrets": ["type"],
  "services": ["spec.clusterIP", "spec.type"],
  "events": [
    ...INVOLVED.map((name) => `involvedObject.${name}`),
    ...["reason", "reportingComponent", "type"],
  ],
  "replicasets.apps": ["status.replicas"],
};

/**
 * Refuses what a kind cannot be selected by, else a typing mistake would look like an empty list.
 *
 * @throws {AppError} BadRequest in Kubernetes' words
 */
export function checkFieldLabels(
  resource: ResourceDef,
  requirements: readonly FieldRequirement[],
): void {
  const known = [...COMMON, ...LABELS[groupResource(resource)] ?? []];
  for (const { path } of requirements) {
    if (!known.includes(path)) {
      throw new AppError("BadRequest", `field label not supported: ${path}`);
    }
  }
}
