import { groupResource, type ResourceDef } from "../object.ts";

/** A column of `kubectl get`, an `additionalPrinterColumn` of a CRD. */
export interface CustomColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly description: string;
  /** Kubernetes' JSON path, e.g. `.status.conditions[?(@.type=="Ready")].status`. */
  readonly jsonPath: string;
  /** Shown with `-o wide` only. */
  readonly wide?: true;
}

function text(name: string, jsonPath: string, description: string): CustomColumn {
  return { name, type: "string", jsonPath, description };
}

function number(name: string, jsonPath: string, description: string): CustomColumn {
  return { name, type: "integer", jsonPath, description };
}

const condition = (type: string, field: string): string =>
  `.status.conditions[?(@.type=="${type}")].${field}`;

const AGE: CustomColumn = {
  name: "Age",
  type: "date",
  jsonPath: ".metadata.creationTimestamp",
  description: "Time since the object was created.",
};
const ACTED_ON = text(
  "Acted-On",
  condition("skerry.dev/ActedOn", "status"),
  "Whether Skerry acts on it.",
);
const PHASE = text("Phase", ".status.phase", "How far the job is.");
const wide = (column: CustomColumn): CustomColumn => ({ ...column, wide: true });

const COLUMNS: Readonly<Record<string, readonly CustomColumn[]>> = {
  "devicemodels.devices.kubeedge.io": [
    text("Protocol", ".spec.protocol", "Protocol of the devices."),
    ACTED_ON,
    AGE,
  ],
  "devices.devices.kubeedge.io": [
    text("Model", ".spec.deviceModelRef.name", "Model of the device."),
    text("Node", ".spec.nodeName", "Node of the device."),
    text("Protocol", ".spec.protocol.protocolName", "Protocol of the device."),
    ACTED_ON,
    AGE,
  ],
  "devicestatuses.devices.kubeedge.io": [
    text("State", ".status.state", "State of the device."),
    text("Last-Online", ".status.lastOnlineTime", "When the device was last reached."),
    ACTED_ON,
    AGE,
  ],
  "rules.rules.kubeedge.io": [
    text("Source", ".spec.source", "Where messages come from."),
    text("Target", ".spec.target", "Where messages go to."),
    number("Success", ".status.successMessages", "Messages that arrived."),
    number("Failed", ".status.failMessages", "Messages that did not."),
    ACTED_ON,
    AGE,
  ],
  "ruleendpoints.rules.kubeedge.io": [
    text("Type", ".spec.ruleEndpointType", "Type of the endpoint."),
    ACTED_ON,
    AGE,
  ],
  "nodegroups.apps.kubeedge.io": [
    text("Nodes", ".spec.nodes", "Nodes that are named."),
    text("Match-Labels", ".spec.matchLabels", "Labels of nodes."),
    AGE,
  ],
  "edgeapplications.apps.kubeedge.io": [
    text("Available", condition("Available", "status"), "Whether all of it runs."),
    text("Reason", condition("Available", "reason"), "Why it runs or not."),
    AGE,
    wide(text("Message", condition("Available", "message"), "Why, in a sentence.")),
  ],
  "nodeupgradejobs.operations.kubeedge.io": [
    text("Version", ".spec.version", "Version to upgrade to."),
    PHASE,
    ACTED_ON,
    AGE,
  ],
  "imageprepulljobs.operations.kubeedge.io": [
    text("Images", ".spec.imagePrePullTemplate.images", "Images to pull."),
    PHASE,
    ACTED_ON,
    AGE,
  ],
  "configupdatejobs.operations.kubeedge.io": [PHASE, ACTED_ON, AGE],
  "serviceaccountaccesses.policy.kubeedge.io": [
    text("Account", ".spec.serviceAccount.metadata.name", "The ServiceAccount."),
    ACTED_ON,
    AGE,
  ],
  "wasmfunctions.skerry.dev": [
    text("Ready", condition("Ready", "status"), "Whether the newest revision answers."),
    text("Reason", condition("Ready", "reason"), "Why it is ready or not."),
    number("Invocations", ".status.invocations.requests", "Calls since the runners started."),
    number("Nodes", ".status.readyNodes", "Nodes on which it is ready."),
    number("Desired", ".status.desiredNodes", "Nodes that should run it."),
    AGE,
    wide(text("Digest", ".status.digest", "SHA-256 of the module that runs.")),
    wide(text("Message", condition("Ready", "message"), "What the Ready condition says.")),
    wide(number("Errors", ".status.invocations.errors", "Calls that failed.")),
  ],
};

/** The columns of a kind that is not Kubernetes' own; none when it is. */
export function customColumns(
  resource: Pick<ResourceDef, "group" | "plural">,
): readonly CustomColumn[] {
  return COLUMNS[groupResource(resource)] ?? [];
}
