/** How one field of a type is patched. */
export interface MergeField {
  /** The type of the field, or of its items, when it has fields of its own in this table. */
  readonly type?: string;
  /** Items of a list of objects are matched by this member. */
  readonly key?: string;
  /** A list of plain values is a set: patches add to it. */
  readonly set?: true;
  /** Clients send `$retainKeys` for it. */
  readonly retainKeys?: true;
}

const CONDITIONS = { conditions: { key: "type" } } as const;
const TEMPLATE = { template: { type: "PodTemplateSpec" } } as const;

/**
 * Merge keys of the served kinds: type -> field -> rule, as `patchMergeKey` and `patchStrategy` in
 * Kubernetes' API types say. Lists that are not here are replaced as a whole. Also the source of
 * `x-kubernetes-patch-*` in the OpenAPI documents.
 */
export const MERGE_FIELDS: Readonly<Record<string, Readonly<Record<string, MergeField>>>> = {
  ObjectMeta: { finalizers: { set: true }, ownerReferences: { key: "uid" } },
  Pod: { spec: { type: "PodSpec" }, status: { type: "PodStatus" } },
  PodTemplateSpec: { metadata: { type: "ObjectMeta" }, spec: { type: "PodSpec" } },
  PodSpec: {
    containers: { key: "name", type: "Container" },
    initContainers: { key: "name", type: "Container" },
    ephemeralContainers: { key: "name", type: "Container" },
    volumes: { key: "name", retainKeys: true },
    imagePullSecrets: { key: "name" },
    hostAliases: { key: "ip" },
    topologySpreadConstraints: { key: "topologyKey" },
    schedulingGates: { key: "name" },
    resourceClaims: { key: "name", retainKeys: true },
  },
  Container: {
    env: { key: "name" },
    ports: { key: "containerPort" },
    volumeMounts: { key: "mountPath" },
    volumeDevices: { key: "devicePath" },
  },
  PodStatus: { ...CONDITIONS, podIPs: { key: "ip" }, hostIPs: { key: "ip" } },
  Deployment: { spec: { type: "DeploymentSpec" }, status: { type: "DeploymentStatus" } },
  DeploymentSpec: { ...TEMPLATE, strategy: { retainKeys: true } },
  DeploymentStatus: CONDITIONS,
  ReplicaSet: { spec: { type: "ReplicaSetSpec" }, status: { type: "ReplicaSetStatus" } },
  ReplicaSetSpec: TEMPLATE,
  ReplicaSetStatus: CONDITIONS,
  DaemonSet: { spec: { type: "DaemonSetSpec" }, status: { type: "DaemonSetStatus" } },
  DaemonSetSpec: TEMPLATE,
  DaemonSetStatus: CONDITIONS,
  Service: { spec: { type: "ServiceSpec" }, status: { type: "ServiceStatus" } },
  ServiceSpec: { ports: { key: "port" } },
  ServiceStatus: CONDITIONS,
  ServiceAccount: { secrets: { key: "name" } },
  Node: { spec: { type: "NodeSpec" }, status: { type: "NodeStatus" } },
  NodeSpec: { podCIDRs: { set: true } },
  NodeStatus: { ...CONDITIONS, addresses: { key: "type" } },
  Namespace: { status: { type: "NamespaceStatus" } },
  NamespaceStatus: CONDITIONS,
};

/** The rule of a field; every kind's `metadata` is an ObjectMeta. */
export function mergeField(type: string | undefined, field: string): MergeField | undefined {
  if (type === undefined) return undefined;
  const fields = Object.hasOwn(MERGE_FIELDS, type) ? MERGE_FIELDS[type] : undefined;
  if (fields && Object.hasOwn(fields, field)) return fields[field];
  const root = field === "metadata" && /^[A-Z][A-Za-z]+$/.test(type);
  return root ? { type: "ObjectMeta" } : undefined;
}
