import {
  conditionOf,
  formatLabelSelector,
  type LabelSelector,
  requirementsOf,
} from "../../api/mod.ts";
import { ageOf } from "./age.ts";
import {
  AGE,
  type Cell,
  column,
  count,
  type KindTable,
  labelText,
  listOf,
  NAME,
  type TableColumn,
} from "./columns.ts";

const WIDE: readonly TableColumn[] = [
  column("Containers", "Names of each container in the template.", "wide"),
  column("Images", "Images referenced by each container in the template.", "wide"),
  column("Selector", "The label selector of the pods that it owns.", "wide"),
];

// deno-lint-ignore no-explicit-any -- a stored spec of any shape
function wide(spec: any): Cell[] {
  const containers = listOf(spec?.template?.spec?.containers);
  return [
    containers.map((one) => one.name).join(","),
    containers.map((one) => one.image).join(","),
    selectorText(spec?.selector),
  ];
}

function selectorText(selector: unknown): string {
  if (typeof selector !== "object" || selector === null) return "<none>";
  try {
    return formatLabelSelector(requirementsOf(selector as LabelSelector)) || "<none>";
  } catch {
    return "<invalid>";
  }
}

const replicasOf = (value: unknown): number => typeof value === "number" ? value : 1;

/** `kubectl get deployments`. */
export const deploymentTable: KindTable = {
  columns: [
    NAME,
    column("Ready", "Number of the pod with ready state."),
    column("Up-to-date", "Pods that have the newest template.", "integer"),
    column("Available", "Pods that are ready for long enough.", "integer"),
    AGE,
    ...WIDE,
  ],
  cells: ({ metadata, spec, status }, now) => [
    metadata.name,
    `${count(status?.readyReplicas)}/${replicasOf(spec?.replicas)}`,
    count(status?.updatedReplicas),
    count(status?.availableReplicas),
    ageOf(metadata.creationTimestamp, now),
    ...wide(spec),
  ],
};

/** `kubectl get replicasets`. */
export const replicaSetTable: KindTable = {
  columns: [
    NAME,
    column("Desired", "Pods that are wanted.", "integer"),
    column("Current", "Pods that exist.", "integer"),
    column("Ready", "Pods that are ready.", "integer"),
    AGE,
    ...WIDE,
  ],
  cells: ({ metadata, spec, status }, now) => [
    metadata.name,
    replicasOf(spec?.replicas),
    count(status?.replicas),
    count(status?.readyReplicas),
    ageOf(metadata.creationTimestamp, now),
    ...wide(spec),
  ],
};

/** `kubectl get daemonsets`. */
export const daemonSetTable: KindTable = {
  columns: [
    NAME,
    column("Desired", "Nodes that should run it.", "integer"),
    column("Current", "Nodes that run it and should.", "integer"),
    column("Ready", "Nodes whose pod is ready.", "integer"),
    column("Up-to-date", "Nodes whose pod has the newest template.", "integer"),
    column("Available", "Nodes whose pod is ready for long enough.", "integer"),
    column("Node Selector", "Which nodes should run it."),
    AGE,
    ...WIDE,
  ],
  cells: ({ metadata, spec, status }, now) => [
    metadata.name,
    count(status?.desiredNumberScheduled),
    count(status?.currentNumberScheduled),
    count(status?.numberReady),
    count(status?.updatedNumberScheduled),
    count(status?.numberAvailable),
    labelText(spec?.template?.spec?.nodeSelector),
    ageOf(metadata.creationTimestamp, now),
    ...wide(spec),
  ],
};

/** `kubectl get wasmfunctions`. */
export const wasmFunctionTable: KindTable = {
  columns: [
    NAME,
    column("Ready", "Whether the newest revision answers."),
    column("Reason", "Why it is ready or not."),
    column("Digest", "Start of the SHA-256 of the module that runs."),
    column("Invocations", "Calls since the runners started, over all nodes.", "integer"),
    column("Nodes", "Nodes on which it is ready, of those that should run it."),
    AGE,
    column("Message", "What the Ready condition says.", "wide"),
    column("Errors", "Calls that failed.", "wide-integer"),
  ],
  cells(fn, now) {
    const { metadata, status } = fn;
    const ready = conditionOf(fn, "Ready");
    const nodes = listOf(status?.nodes);
    const readyNodes = typeof status?.readyNodes === "number"
      ? status.readyNodes
      : nodes.filter((one) => one.ready === true).length;
    const digest = String(status?.digest ?? "").replace(/^sha256:/, "").slice(0, 12);
    return [
      metadata.name,
      ready?.status ?? "Unknown",
      ready?.reason ?? "<none>",
      digest === "" ? "<none>" : digest,
      count(status?.invocations?.requests),
      `${readyNodes}/${count(status?.desiredNodes ?? nodes.length)}`,
      ageOf(metadata.creationTimestamp, now),
      ready?.message ?? "<none>",
      count(status?.invocations?.errors),
    ];
  },
};
