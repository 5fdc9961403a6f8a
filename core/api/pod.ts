import type { Condition, KubeObject, ObjectMeta } from "./object.ts";

/** `spec.containers[].env[].valueFrom`, the sources that are served. */
export interface EnvVarSource {
  fieldRef?: { fieldPath: string };
  resourceFieldRef?: { containerName?: string; resource: string; divisor?: string };
  configMapKeyRef?: { name: string; key: string; optional?: boolean };
  secretKeyRef?: { name: string; key: string; optional?: boolean };
}

/** `httpGet` of a probe or a hook. */
export interface HttpGetAction {
  path?: string;
  /** A number or the name of one of the container's ports. */
  port: number | string;
  /** @default {the pod's address} */
  host?: string;
  scheme?: "HTTP" | "HTTPS";
  httpHeaders?: { name: string; value: string }[];
}

/** What a lifecycle hook does, exactly one member set. */
export interface LifecycleHandler {
  exec?: { command?: string[] };
  httpGet?: HttpGetAction;
  sleep?: { seconds: number };
}

/** A probe: exactly one of `exec`, `httpGet`, `tcpSocket` and `grpc` is set. */
export interface Probe {
  exec?: { command?: string[] };
  httpGet?: HttpGetAction;
  tcpSocket?: { port: number | string; host?: string };
  grpc?: { port: number; service?: string };
  initialDelaySeconds?: number;
  /** @default {10} */
  periodSeconds?: number;
  /** @default {1} */
  timeoutSeconds?: number;
  /** @default {1} */
  successThreshold?: number;
  /** @default {3} */
  failureThreshold?: number;
  /** Of a liveness or startup probe: in place of the pod's. */
  terminationGracePeriodSeconds?: number;
}

/** What a container asks for and may have at most, by resource. */
export interface ResourceRequirements {
  requests?: Record<string, string>;
  limits?: Record<string, string>;
}

/** One container of a pod. Fields that Skerry does not read pass through. */
export interface Container {
  name: string;
  image: string;
  imagePullPolicy?: "Always" | "IfNotPresent" | "Never";
  command?: string[];
  args?: string[];
  workingDir?: string;
  env?: { name: string; value?: string; valueFrom?: EnvVarSource }[];
  envFrom?: {
    prefix?: string;
    configMapRef?: { name: string; optional?: boolean };
    secretRef?: { name: string; optional?: boolean };
  }[];
  ports?: {
    name?: string;
    containerPort: number;
    hostPort?: number;
    hostIP?: string;
    protocol?: "TCP" | "UDP" | "SCTP";
  }[];
  resources?: ResourceRequirements;
  /** How a change of a resource is applied to the running container. @default {NotRequired} */
  resizePolicy?: { resourceName: string; restartPolicy: "NotRequired" | "RestartContainer" }[];
  /** Of an init container: `Always` makes it a sidecar. */
  restartPolicy?: "Always";
  startupProbe?: Probe;
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  lifecycle?: { postStart?: LifecycleHandler; preStop?: LifecycleHandler; stopSignal?: string };
  volumeMounts?: {
    name: string;
    mountPath: string;
    readOnly?: boolean;
    recursiveReadOnly?: string;
    subPath?: string;
    subPathExpr?: string;
    mountPropagation?: string;
  }[];
  securityContext?: Record<string, unknown>;
  tty?: boolean;
  stdin?: boolean;
  stdinOnce?: boolean;
  terminationMessagePath?: string;
  // deno-lint-ignore no-explicit-any -- what is refused by name passes through
  [field: string]: any;
}

/** A container that was added to a running pod, for debugging; it is never restarted. */
export interface EphemeralContainer extends Container {
  /** Whose processes it sees. */
  targetContainerName?: string;
}

/** One key of a configMap or secret volume, or of a downward API item. */
export interface KeyToPath {
  key: string;
  path: string;
  /** File mode bits, decimal as in JSON. */
  mode?: number;
}

/** One volume of a pod. */
export interface Volume {
  name: string;
  emptyDir?: { medium?: string; sizeLimit?: string };
  hostPath?: { path: string; type?: string };
  configMap?: { name: string; items?: KeyToPath[]; defaultMode?: number; optional?: boolean };
  secret?: { secretName: string; items?: KeyToPath[]; defaultMode?: number; optional?: boolean };
  persistentVolumeClaim?: { claimName: string; readOnly?: boolean };
  /** Its claim is `<pod>-<volume>`. */
  ephemeral?: Record<string, unknown>;
  // deno-lint-ignore no-explicit-any -- kinds of volume that are refused by name
  [kind: string]: any;
}

/** A toleration of a pod. */
export interface Toleration {
  key?: string;
  operator?: "Exists" | "Equal";
  value?: string;
  effect?: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
  tolerationSeconds?: number;
}

/** One term of a node selector: its expressions and fields all hold. */
export interface NodeSelectorTerm {
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
  matchFields?: { key: string; operator: string; values?: string[] }[];
}

/** Kubernetes' `PodSpec`, as far as Skerry reads it. */
export interface PodSpec {
  nodeName?: string;
  nodeSelector?: Record<string, string>;
  affinity?: {
    nodeAffinity?: {
      requiredDuringSchedulingIgnoredDuringExecution?: { nodeSelectorTerms: NodeSelectorTerm[] };
    };
  };
  tolerations?: Toleration[];
  containers: Container[];
  initContainers?: Container[];
  ephemeralContainers?: EphemeralContainer[];
  volumes?: Volume[];
  restartPolicy?: "Always" | "OnFailure" | "Never";
  /** Seconds. */
  terminationGracePeriodSeconds?: number;
  /** Seconds from the start of the pod. */
  activeDeadlineSeconds?: number;
  /** Conditions that others set and that readiness asks for. */
  readinessGates?: { conditionType: string }[];
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  hostname?: string;
  subdomain?: string;
  dnsPolicy?: string;
  dnsConfig?: {
    nameservers?: string[];
    searches?: string[];
    options?: { name: string; value?: string }[];
  };
  runtimeClassName?: string;
  schedulerName?: string;
  serviceAccountName?: string;
  securityContext?: Record<string, unknown>;
  // deno-lint-ignore no-explicit-any -- fields of later issues pass through
  [field: string]: any;
}

/** The state of one container, exactly one member set. */
export interface ContainerState {
  waiting?: { reason?: string; message?: string };
  running?: { startedAt: string };
  terminated?: {
    exitCode: number;
    signal?: number;
    reason?: string;
    message?: string;
    startedAt?: string;
    finishedAt?: string;
    containerID?: string;
  };
}

/** What a pod's status says of one container. */
export interface ContainerStatus {
  name: string;
  state: ContainerState;
  lastState: ContainerState;
  ready: boolean;
  restartCount: number;
  image: string;
  imageID: string;
  containerID?: string;
  started?: boolean;
  /** What the running container was given. */
  resources?: ResourceRequirements;
  /** The requests that the node has set aside for it. */
  allocatedResources?: Record<string, string>;
  volumeMounts?: VolumeMountStatus[];
}

/** What a container's status says of one of its mounts. */
export interface VolumeMountStatus {
  name: string;
  mountPath: string;
  readOnly?: boolean;
  /** Absent for a mount that is not read-only. */
  recursiveReadOnly?: "Enabled" | "Disabled";
}

/** `status.phase` of a pod. */
export type PodPhase = "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";

/** Kubernetes' `PodStatus`, as far as Skerry writes it. */
export interface PodStatus {
  phase?: PodPhase;
  conditions?: Condition[];
  reason?: string;
  message?: string;
  hostIP?: string;
  hostIPs?: { ip: string }[];
  podIP?: string;
  podIPs?: { ip: string }[];
  startTime?: string;
  containerStatuses?: ContainerStatus[];
  initContainerStatuses?: ContainerStatus[];
  ephemeralContainerStatuses?: ContainerStatus[];
  qosClass?: "Guaranteed" | "Burstable" | "BestEffort";
  observedGeneration?: number;
}

/** A Pod. */
export interface Pod extends KubeObject {
  kind: "Pod";
  metadata: ObjectMeta;
  spec: PodSpec;
  status?: PodStatus;
}

/** What a workload makes pods from. */
export interface PodTemplate {
  metadata?: Partial<ObjectMeta>;
  spec: PodSpec;
}

/** How a pod ended; no phase while it has not. */
export interface PodEnd {
  phase?: "Succeeded" | "Failed";
  reason?: string;
  message?: string;
}

/** Whether a pod has come to its end. */
export function isFinalPhase(phase: string | undefined): phase is "Succeeded" | "Failed" {
  return phase === "Succeeded" || phase === "Failed";
}

/**
 * The status with the end that somebody else has told, if any: whoever says it, a phase that is final
 * stays, as a kubelet holds it, with its words where the status has none for the same phase.
 */
export function withEnd(status: PodStatus, told: PodStatus | undefined): PodStatus {
  if (!told || !isFinalPhase(told.phase)) return status;
  const { reason, message, ...rest } = status;
  if (status.phase === told.phase && (reason || message)) return status;
  return { ...rest, ...endOf(told) };
}

/** How a pod ended, or that it did not. */
export function endOf(status: PodStatus): PodEnd {
  const { phase, reason, message } = status;
  if (!isFinalPhase(phase)) return {};
  return { phase, ...(reason ? { reason } : {}), ...(message ? { message } : {}) };
}

/** The conditions that a pod's readiness gates ask for. What is malformed asks for nothing. */
export function gateConditions(pod: KubeObject): Condition[] {
  const gates: unknown = pod["spec"]?.readinessGates;
  const conditions: unknown = pod["status"]?.conditions;
  if (!Array.isArray(gates) || !Array.isArray(conditions)) return [];
  const types = new Set(gates.map((gate) => gate?.conditionType));
  return conditions.filter((one) => types.has(one?.type) && !NODE_POD_CONDITIONS.has(one.type));
}

/** Pods with this annotation are the hub's picture of a node's own static pods. */
export const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";

/**
 * Conditions of a pod that its node alone writes, and takes away. `DisruptionTarget` is not among
 * them: others set it as well.
 */
export const NODE_POD_CONDITIONS: ReadonlySet<string> = new Set([
  "PodReadyToStartContainers",
  "Initialized",
  "Ready",
  "ContainersReady",
  "PodResizePending",
  "PodResizeInProgress",
  "skerry.dev/Supported",
]);
