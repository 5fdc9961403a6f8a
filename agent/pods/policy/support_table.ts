import { isHugePages, isQuantity, isResourceName } from "../../../core/api/mod.ts";
import { capabilityProblem } from "./capabilities.ts";
import type { NodePolicy } from "./plan.ts";

/**
 * What is done with a field: `true` honours all below it, a text refuses it and says why, a
 * function refuses when it answers a text.
 */
export type Rule =
  | true
  | string
  | ((value: unknown, node: NodePolicy) => string | undefined);

const only = (...values: unknown[]): Rule => (value) =>
  values.includes(value) ? undefined : `only ${values.map((v) => JSON.stringify(v)).join(", ")}`;
const SCHEDULING = true;

/** What the downward API can show of a pod. */
const FIELD_PATH =
  /^(metadata\.(name|namespace|uid|labels|annotations|labels\['.+'\]|annotations\['.+'\])|spec\.(nodeName|serviceAccountName)|status\.(hostIPs?|podIPs?))$/;
const fieldRef: Rule = (value) => {
  const path = (value as { fieldPath?: unknown } | null)?.fieldPath;
  return typeof path === "string" && FIELD_PATH.test(path)
    ? undefined
    : `the downward API has no field ${JSON.stringify(path)}`;
};

/** Kubernetes' own resources by name, and those of devices, which have a domain. */
const amounts: Rule = (value) => {
  for (const [name, amount] of Object.entries(value ?? {})) {
    if (isHugePages(name)) return `${name}: huge pages are not served`;
    if (!isResourceName(name)) return `${name}: there is no such resource`;
    if (!isQuantity(amount)) return `${name}: ${JSON.stringify(amount)} is no quantity`;
  }
  return undefined;
};

const profile = (path: string): Record<string, Rule> => ({
  [`${path}.type`]: only("RuntimeDefault", "Localhost", "Unconfined"),
  [`${path}.localhostProfile`]: true,
});

const CONTAINER: Readonly<Record<string, Rule>> = {
  name: true,
  image: true,
  imagePullPolicy: only("Always", "IfNotPresent", "Never"),
  command: true,
  args: true,
  workingDir: true,
  "env[].name": true,
  "env[].value": true,
  "env[].valueFrom.fieldRef": fieldRef,
  "env[].valueFrom.resourceFieldRef": true,
  "env[].valueFrom.configMapKeyRef": true,
  "env[].valueFrom.secretKeyRef": true,
  "envFrom[].prefix": true,
  "envFrom[].configMapRef": true,
  "envFrom[].secretRef": true,
  "ports[].name": true,
  "ports[].containerPort": true,
  "ports[].hostPort": true,
  "ports[].hostIP": true,
  "ports[].protocol": only("TCP", "UDP", "SCTP"),
  "resources.requests": amounts,
  "resources.limits": amounts,
  "resources.claims": "resource claims are not served",
  resizePolicy: true,
  restartPolicy:
    "a container of its own restart policy is not served; init containers may have Always",
  restartPolicyRules: "restart rules of a container are not served",
  "volumeMounts[].name": true,
  "volumeMounts[].mountPath": true,
  "volumeMounts[].readOnly": true,
  "volumeMounts[].recursiveReadOnly": (value, node) =>
    value === "Enabled" && !node.recursiveReadOnly
      ? "this node's container runtime has no recursive read-only mounts"
      : undefined,
  "volumeMounts[].subPath": true,
  "volumeMounts[].subPathExpr": true,
  "volumeMounts[].mountPropagation": (value, node) =>
    value === "Bidirectional" && !node.allowPrivileged
      ? "Bidirectional needs privileged containers, which this node does not allow " +
        "(agent option --allow-privileged)"
      : undefined,
  volumeDevices: "block volumes are not served",
  livenessProbe: true,
  readinessProbe: true,
  startupProbe: true,
  ...hook("lifecycle.postStart"),
  ...hook("lifecycle.preStop"),
  "lifecycle.stopSignal": "the signal of a stop is the image's own (STOPSIGNAL)",
  terminationMessagePath: true,
  terminationMessagePolicy: only("File", "FallbackToLogsOnError"),
  "securityContext.runAsUser": true,
  "securityContext.runAsGroup": true,
  "securityContext.runAsNonRoot": true,
  "securityContext.readOnlyRootFilesystem": true,
  "securityContext.allowPrivilegeEscalation": true,
  "securityContext.capabilities.add": capabilityProblem,
  "securityContext.capabilities.drop": capabilityProblem,
  ...profile("securityContext.seccompProfile"),
  ...profile("securityContext.appArmorProfile"),
  "securityContext.privileged": (value, node) =>
    value === true && !node.allowPrivileged
      ? "this node does not allow privileged containers (agent option --allow-privileged)"
      : undefined,
  "securityContext.procMount": (value) =>
    value === "Default" ? undefined : "an unmasked /proc needs user namespaces, which are not made",
  "securityContext.seLinuxOptions": true,
  "securityContext.windowsOptions": "this is a Linux node",
  stdin: true,
  stdinOnce: true,
  tty: true,
};

const NO_TMPFS = "this node has no tmpfs to keep it in memory only (agent option --memory-dir)";
const inMemory: Rule = (_, node) => node.memoryVolumes ? undefined : NO_TMPFS;

/** An init container that keeps running beside the others is a sidecar. */
const INIT: Readonly<Record<string, Rule>> = { ...CONTAINER, restartPolicy: only("Always") };

const DEBUGGER: Readonly<Record<string, Rule>> = { ...CONTAINER, targetContainerName: true };

const NETWORK_VOLUMES = [
  ...["awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "fc", "flexVolume"],
  ...["flocker", "gcePersistentDisk", "glusterfs", "iscsi", "nfs", "photonPersistentDisk"],
  ...["portworxVolume", "quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume"],
];
const NO_NETWORK_VOLUMES = "network volumes are not mounted by the node; use hostPath";

const VOLUME: Readonly<Record<string, Rule>> = {
  name: true,
  "emptyDir.medium": (value, node) => {
    if (value === "Memory") return node.memoryVolumes ? undefined : NO_TMPFS;
    return value === "" ? undefined : "huge pages are not served";
  },
  "emptyDir.sizeLimit": (value) => isQuantity(value) ? undefined : "no quantity",
  "hostPath.path": true,
  "hostPath.type": only(
    "",
    "DirectoryOrCreate",
    "Directory",
    "FileOrCreate",
    "File",
    "Socket",
    "CharDevice",
    "BlockDevice",
  ),
  configMap: true,
  secret: inMemory,
  downwardAPI: true,
  "projected.defaultMode": true,
  "projected.sources[].configMap": true,
  "projected.sources[].secret": inMemory,
  "projected.sources[].downwardAPI": true,
  "projected.sources[].serviceAccountToken": inMemory,
  "projected.sources[].clusterTrustBundle": "trust bundles are not served",
  "projected.sources[].podCertificate": "pod certificates are not issued",
  persistentVolumeClaim: "persistent volumes are not served; use hostPath",
  ephemeral: "persistent volumes are not served; use emptyDir",
  csi: "CSI drivers are not served",
  ...Object.fromEntries(NETWORK_VOLUMES.map((kind) => [kind, NO_NETWORK_VOLUMES])),
  gitRepo: "Kubernetes runs no such volume any more; clone in an init container",
  image: "image volumes are not served",
};

const POD: Readonly<Record<string, Rule>> = {
  nodeName: true,
  nodeSelector: SCHEDULING,
  affinity: SCHEDULING,
  tolerations: SCHEDULING,
  topologySpreadConstraints: SCHEDULING,
  schedulerName: SCHEDULING,
  schedulingGates: SCHEDULING,
  priority: SCHEDULING,
  priorityClassName: SCHEDULING,
  preemptionPolicy: SCHEDULING,
  restartPolicy: only("Always", "OnFailure", "Never"),
  terminationGracePeriodSeconds: true,
  activeDeadlineSeconds: true,
  dnsPolicy: only("Default", "None", "ClusterFirst", "ClusterFirstWithHostNet"),
  dnsConfig: true,
  hostAliases: true,
  hostNetwork: true,
  hostPID: true,
  hostIPC: true,
  shareProcessNamespace: true,
  hostUsers: (value) => value === true ? undefined : "user namespaces are not made",
  hostname: true,
  hostnameOverride: true,
  subdomain: true,
  setHostnameAsFQDN: true,
  serviceAccountName: true,
  serviceAccount: true,
  automountServiceAccountToken: true,
  enableServiceLinks: true,
  imagePullSecrets: true,
  runtimeClassName: true,
  overhead: SCHEDULING,
  readinessGates: true,
  os: true,
  resources: "resources of a whole pod are not served",
  resourceClaims: "resource claims are not served",
  "securityContext.runAsUser": true,
  "securityContext.runAsGroup": true,
  "securityContext.runAsNonRoot": true,
  "securityContext.supplementalGroups": true,
  "securityContext.supplementalGroupsPolicy": (value, node) =>
    value === "Strict" && !node.strictGroups
      ? "this node's container runtime cannot leave out the groups of the image"
      : undefined,
  "securityContext.fsGroup": true,
  "securityContext.fsGroupChangePolicy": true,
  ...profile("securityContext.seccompProfile"),
  ...profile("securityContext.appArmorProfile"),
  "securityContext.sysctls": true,
  "securityContext.seLinuxOptions": true,
  "securityContext.seLinuxChangePolicy": only("Recursive"),
  "securityContext.windowsOptions": "this is a Linux node",
};

/**
 * Every field of a pod's spec that Skerry knows, by its path below `spec`, with what it does with
 * it. A field that is missing here is refused as well: nothing is ignored. What a kubelet lets no pod
 * in for (`os`, sysctls) is honoured: `admit()` looks at it. Read by
 * `refusals()` and by the page on compatibility.
 */
export const POD_FIELDS: Readonly<Record<string, Rule>> = {
  ...POD,
  ...below("containers[]", CONTAINER),
  ...below("initContainers[]", INIT),
  ...below("ephemeralContainers[]", DEBUGGER),
  ...below("volumes[]", VOLUME),
};

function hook(path: string): Record<string, Rule> {
  return {
    [`${path}.exec`]: true,
    [`${path}.httpGet`]: true,
    [`${path}.sleep`]: true,
    [`${path}.tcpSocket`]: "Kubernetes runs no such hook; use exec or httpGet",
  };
}

function below(path: string, rules: Readonly<Record<string, Rule>>): Record<string, Rule> {
  return Object.fromEntries(Object.entries(rules).map(([key, rule]) => [`${path}.${key}`, rule]));
}
