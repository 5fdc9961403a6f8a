import { groupResource, type ResourceDef, splitApiVersion } from "./object.ts";

type Extra = Partial<
  Pick<ResourceDef, "shortNames" | "categories" | "namespaced" | "hasStatus" | "scale">
>;

function define(
  group: string,
  version: string,
  plural: string,
  kind: string,
  extra: Extra = {},
): ResourceDef {
  return {
    group,
    version,
    plural,
    kind,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    hasStatus: false,
    ...extra,
  };
}

const ALL = ["all"];
const SCALE = {
  spec: "spec.replicas",
  status: "status.replicas",
  selector: "spec.selector",
} as const;

const DEVICES = "devices.kubeedge.io";
const OPERATIONS = "operations.kubeedge.io";
const STATUS = { hasStatus: true } as const;
const OF_CLUSTER = { hasStatus: true, namespaced: false } as const;

/** KubeEdge's kinds, with the names, scopes and subresources of its CRDs. */
const KUBEEDGE = {
  devicemodels: define(DEVICES, "v1beta1", "devicemodels", "DeviceModel"),
  devices: define(DEVICES, "v1beta1", "devices", "Device"),
  devicestatuses: define(DEVICES, "v1beta1", "devicestatuses", "DeviceStatus"),
  rules: define("rules.kubeedge.io", "v1", "rules", "Rule"),
  ruleendpoints: define("rules.kubeedge.io", "v1", "ruleendpoints", "RuleEndpoint", {
    shortNames: ["re"],
  }),
  nodegroups: define("apps.kubeedge.io", "v1alpha1", "nodegroups", "NodeGroup", {
    ...OF_CLUSTER,
    shortNames: ["ng"],
  }),
  edgeapplications: define("apps.kubeedge.io", "v1alpha1", "edgeapplications", "EdgeApplication", {
    ...STATUS,
    shortNames: ["eapp"],
  }),
  nodeupgradejobs: define(OPERATIONS, "v1alpha2", "nodeupgradejobs", "NodeUpgradeJob", OF_CLUSTER),
  imageprepulljobs: define(
    OPERATIONS,
    "v1alpha2",
    "imageprepulljobs",
    "ImagePrePullJob",
    OF_CLUSTER,
  ),
  configupdatejobs: define(
    OPERATIONS,
    "v1alpha2",
    "configupdatejobs",
    "ConfigUpdateJob",
    OF_CLUSTER,
  ),
  serviceaccountaccesses: define(
    "policy.kubeedge.io",
    "v1alpha1",
    "serviceaccountaccesses",
    "ServiceAccountAccess",
    { ...STATUS, shortNames: ["saaccess"] },
  ),
} as const satisfies Record<string, ResourceDef>;

/** Every kind that the embedded hub serves, by a short name for use in code. */
export const RESOURCES = {
  namespaces: define("", "v1", "namespaces", "Namespace", {
    namespaced: false,
    hasStatus: true,
    shortNames: ["ns"],
  }),
  nodes: define("", "v1", "nodes", "Node", {
    namespaced: false,
    hasStatus: true,
    shortNames: ["no"],
  }),
  pods: define("", "v1", "pods", "Pod", { hasStatus: true, shortNames: ["po"], categories: ALL }),
  configmaps: define("", "v1", "configmaps", "ConfigMap", { shortNames: ["cm"] }),
  secrets: define("", "v1", "secrets", "Secret"),
  services: define("", "v1", "services", "Service", {
    hasStatus: true,
    shortNames: ["svc"],
    categories: ALL,
  }),
  serviceaccounts: define("", "v1", "serviceaccounts", "ServiceAccount", { shortNames: ["sa"] }),
  events: define("", "v1", "events", "Event", { shortNames: ["ev"] }),
  deployments: define("apps", "v1", "deployments", "Deployment", {
    hasStatus: true,
    shortNames: ["deploy"],
    categories: ALL,
    scale: SCALE,
  }),
  replicasets: define("apps", "v1", "replicasets", "ReplicaSet", {
    hasStatus: true,
    shortNames: ["rs"],
    categories: ALL,
    scale: SCALE,
  }),
  daemonsets: define("apps", "v1", "daemonsets", "DaemonSet", {
    hasStatus: true,
    shortNames: ["ds"],
    categories: ALL,
  }),
  leases: define("coordination.k8s.io", "v1", "leases", "Lease"),
  endpointslices: define("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
  priorityclasses: define("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", {
    namespaced: false,
    shortNames: ["pc"],
  }),
  runtimeclasses: define("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", {
    namespaced: false,
  }),
  wasmfunctions: define("skerry.dev", "v1alpha1", "wasmfunctions", "WasmFunction", {
    hasStatus: true,
    shortNames: ["wf"],
    categories: ALL,
  }),
  ...KUBEEDGE,
} as const satisfies Record<string, ResourceDef>;

/**
 * What the claims of a pod lead to, on a cluster; the embedded hub does not serve them. Kubernetes lets
 * a node `get` those that concern it, and neither list nor watch them.
 */
export const VOLUME_RESOURCES = {
  persistentvolumeclaims: define("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", {
    hasStatus: true,
    shortNames: ["pvc"],
  }),
  persistentvolumes: define("", "v1", "persistentvolumes", "PersistentVolume", {
    ...OF_CLUSTER,
    shortNames: ["pv"],
  }),
  volumeattachments: define(
    "storage.k8s.io",
    "v1",
    "volumeattachments",
    "VolumeAttachment",
    OF_CLUSTER,
  ),
} as const satisfies Record<string, ResourceDef>;

/** Those kinds as a list, each found by the one before it. */
export const VOLUME_LIST: readonly ResourceDef[] = Object.values(VOLUME_RESOURCES);

/** The kinds that the embedded hub serves, as a list. */
export const RESOURCE_LIST: readonly ResourceDef[] = Object.values(RESOURCES);

const BY_KEY = new Map(
  [...RESOURCE_LIST, ...VOLUME_LIST].map((resource) => [groupResource(resource), resource]),
);
const BY_KIND = new Map(
  RESOURCE_LIST.map((resource) => [`${resource.group}/${resource.kind}`, resource]),
);

/** Finds a resource, of volumes too, by `pods` or `deployments.apps`. */
export function findResource(key: string): ResourceDef | undefined {
  return BY_KEY.get(key);
}

/** Finds the resource of an object that is served by its `apiVersion` (any version of the group) and `kind`. */
export function resourceOfKind(apiVersion: string, kind: string): ResourceDef | undefined {
  return BY_KIND.get(`${splitApiVersion(apiVersion).group}/${kind}`);
}
