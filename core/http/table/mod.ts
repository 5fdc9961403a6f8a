import { groupResource, type KubeObject, type ResourceDef } from "../../api/mod.ts";
import type { Ms } from "../../base/mod.ts";
import type { Cell, KindTable, TableColumn } from "./columns.ts";
import {
  configMapTable,
  endpointSliceTable,
  eventTable,
  leaseTable,
  namespaceTable,
  nodeTable,
  plainTable,
  priorityClassTable,
  runtimeClassTable,
  secretTable,
  serviceAccountTable,
  serviceTable,
} from "./core.ts";
import { customTable } from "./custom.ts";
import { podTable } from "./pod.ts";
import {
  daemonSetTable,
  deploymentTable,
  replicaSetTable,
  wasmFunctionTable,
} from "./workloads.ts";

export { ageOf, humanDuration } from "./age.ts";
export type { Cell, KindTable, TableColumn } from "./columns.ts";
export { podStatusText } from "./pod.ts";

/** What a row carries beside its cells: nothing, the metadata, or the whole object. */
export type RowForm = "None" | "Metadata" | "Object";

const TABLES: Readonly<Record<string, KindTable>> = {
  pods: podTable,
  namespaces: namespaceTable,
  nodes: nodeTable,
  configmaps: configMapTable,
  secrets: secretTable,
  services: serviceTable,
  serviceaccounts: serviceAccountTable,
  events: eventTable,
  "deployments.apps": deploymentTable,
  "replicasets.apps": replicaSetTable,
  "daemonsets.apps": daemonSetTable,
  "leases.coordination.k8s.io": leaseTable,
  "endpointslices.discovery.k8s.io": endpointSliceTable,
  "priorityclasses.scheduling.k8s.io": priorityClassTable,
  "runtimeclasses.node.k8s.io": runtimeClassTable,
  "wasmfunctions.skerry.dev": wasmFunctionTable,
};

function tableOf(resource: ResourceDef): KindTable {
  return TABLES[groupResource(resource)] ?? customTable(resource) ?? plainTable;
}

/** The columns of a kind, Kubernetes' own for Kubernetes' kinds. */
export function columnsOf(resource: ResourceDef): readonly TableColumn[] {
  return tableOf(resource).columns;
}

/** One row of a table: the cells, and the object as far as `rows` says. */
export function rowOf(
  resource: ResourceDef,
  object: KubeObject,
  { rows, now }: { readonly rows: RowForm; readonly now: Ms },
): { cells: Cell[]; object?: unknown } {
  const cells = tableOf(resource).cells(object, now);
  if (rows === "None") return { cells };
  const { metadata } = object;
  return {
    cells,
    object: rows === "Object"
      ? object
      : { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata },
  };
}
