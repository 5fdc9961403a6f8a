import type { NodePolicy } from "./plan.ts";

/**
 * What is done with a field: `true` honours all below it, a text refuses it and says why, a
 * function refuses when it answers a text.
 */
export type Rule = true | string | ((value: unknown, node: NodePolicy) => string | undefined);

const only = (...values: unknown[]): Rule => (value) =>
  values.includes(value) ? undefined : `only ${values.map((v) => JSON.stringify(v)).join(", ")}`;
const empty = (why: string): Rule => (value) =>
  Object.keys(value ?? {}).length === 0 ? undefined : why;
const SCHEDULING = true;

const CONTAINER: Readonly<Record<string, Rule>> = {
  name: true,
  image: true,
  imagePullPolicy: only("Always", "IfNotPresent", "Never"),
  command: true,
  args: true,
  workingDir: true,
  "env[].name": true,
  "env[].value": true,
  "env[].valueFrom.fieldRef": true,
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
  "resources.requests": true,
  "resources.limits": true,
  "resources.claims": "resource claims are not served",
  resizePolicy: true,
  restartPolicy:
    "a container of its own restart policy is not served; init containers may have Always",
  restartPolicyRules: "restart rules of a container are not served",
  "volumeMounts[].name": true,
  "volumeMounts[].mountPath": true,
  "volumeMounts[].readOnly": true,
  "volumeMounts[].recursiveReadOnly": only("Disabled"),
  "volumeMounts[].subPath": true,
  "volumeMounts[].subPathExpr": true,
  "volumeMounts[].mountPropagation": (value, node) =>
    value === "Bidirectional" && !node.allowPrivileged
      ? "Bidirectional needs privileged containers, which this node does not allow"
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
  "securityContext.capabilities.add": true,
  "securityContext.capabilities.drop": true,
  "securityContext.seccompProfile": true,
  "securityContext.privileged": (value, node) =>
    value === true && !node.allowPrivileged
      ? "this node does not allow privileged containers (agent option allowPrivileged)"
      : undefined,
  "securityContext.procMount": only("Default"),
  "securityContext.seLinuxOptions": empty("SELinux labels are not set"),
  "securityContext.appArmorProfile": "AppArmor profiles are not set yet",
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

const VOLUME: Readonly<Record<string, Rule>> = {
  name: true,
  "emptyDir.medium": (value, node) => {
    if (value === "Memory") return node.memoryVolumes ? undefined : NO_TMPFS;
    return value === "" ? undefined : "huge pages are not served";
  },
  "emptyDir.sizeLimit": true,
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
  "projected.sources[].serviceAccountToken":
    "service account tokens are not issued; set automountServiceAccountToken: false",
  "projected.sources[].clusterTrustBundle": "trust bundles are not served",
  persistentVolumeClaim: "persistent volumes are not served; use hostPath",
  ephemeral: "persistent volumes are not served; use emptyDir",
  csi: "CSI drivers are not served",
  nfs: "network volumes are not mounted by the node",
  iscsi: "network volumes are not mounted by the node",
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
  hostUsers: only(true),
  hostname: true,
  hostnameOverride: "hostnameOverride is not served",
  subdomain: true,
  setHostnameAsFQDN: only(false),
  serviceAccountName: true,
  serviceAccount: true,
  automountServiceAccountToken: true,
  enableServiceLinks: true,
  imagePullSecrets: true,
  runtimeClassName: "runtime classes are not read yet",
  overhead: SCHEDULING,
  readinessGates: true,
  os: (value) =>
    (value as { name?: unknown } | null)?.name === "linux" ? undefined : "this is a Linux node",
  resources: "resources of a whole pod are not served",
  resourceClaims: "resource claims are not served",
  "securityContext.runAsUser": true,
  "securityContext.runAsGroup": true,
  "securityContext.runAsNonRoot": true,
  "securityContext.supplementalGroups": true,
  "securityContext.supplementalGroupsPolicy": only("Merge"),
  "securityContext.fsGroup": true,
  "securityContext.fsGroupChangePolicy": true,
  "securityContext.seccompProfile": true,
  "securityContext.sysctls": "sysctls are not set yet",
  "securityContext.seLinuxOptions": empty("SELinux labels are not set"),
  "securityContext.seLinuxChangePolicy": "SELinux labels are not set",
  "securityContext.appArmorProfile": "AppArmor profiles are not set yet",
  "securityContext.windowsOptions": "this is a Linux node",
};

/**
 * Every field of a pod's spec that Skerry knows, by its path below `spec`, with what it does with
 * it. A field that is missing here is refused as well: nothing is ignored. Read by
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
