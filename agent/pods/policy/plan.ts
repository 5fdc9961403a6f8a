import type { Ms } from "../../../core/base/mod.ts";
import type { PodStatus, ResourceRequirements } from "../../../core/api/mod.ts";
import type { ObservedContainer, ObservedSandbox } from "../../runtimes/mod.ts";
import type { PodMemory } from "./memory.ts";

/** What the runtime shows of one pod. */
export interface PodView {
  readonly sandboxes: readonly ObservedSandbox[];
  readonly containers: readonly SeenContainer[];
}

/** A container as the runtime shows it. */
export interface SeenContainer extends ObservedContainer {
  /** It has ended without ever having run, by nobody's fault: as if it were not there. */
  readonly cut?: true;
}

/** Data of the configMaps and secrets that a pod names, by name. Binary values are base64. */
export interface PodObjects {
  readonly configMaps: Readonly<Record<string, ConfigData>>;
  readonly secrets: Readonly<Record<string, ConfigData>>;
  /** Tokens of its service account, by `tokenKey`. */
  readonly tokens: Readonly<Record<string, string>>;
}

/** The content of a configMap or a secret. */
export interface ConfigData {
  /** Text values. */
  readonly data: Readonly<Record<string, string>>;
  /** Base64 values (`binaryData` of a configMap, `data` of a secret). */
  readonly binary: Readonly<Record<string, string>>;
}

/** Where the image of a container's next run stands. */
export type ImageView =
  | { readonly state: "unknown" | "pulling" }
  | {
    readonly state: "present";
    readonly ref: string;
    readonly uid?: number;
    readonly user?: string;
  }
  | {
    readonly state: "failed";
    /** Kubernetes' reason: `ErrImagePull`, `ErrImageNeverPull`, `InvalidImageName`. */
    readonly reason: string;
    readonly message: string;
    readonly at: Ms;
    /** Next try; far away for what a retry cannot help. */
    readonly until: Ms;
  };

/** What a node allows and is; the same for all pods. */
export interface NodePolicy {
  readonly nodeName: string;
  /** The container runtime's name, the scheme of container ids, e.g. `containerd`. */
  readonly runtime: string;
  readonly hostIPs: readonly string[];
  /** Whether containers may be privileged. */
  readonly allowPrivileged: boolean;
  /** What the runtime can: see `RuntimeInfo`. */
  readonly recursiveReadOnly: boolean;
  readonly strictGroups: boolean;
  /** Whether secrets and `emptyDir.medium: Memory` have a tmpfs to live on. */
  readonly memoryVolumes: boolean;
}

/** What the probes say of one run of a container. */
export interface ProbeView {
  /** The run it is about; of another run it says nothing. */
  readonly containerId: string;
  /** The startup probe has succeeded, or there is none. */
  readonly started: boolean;
  /** The readiness probe succeeds, or there is none and it has started. */
  readonly ready: boolean;
  /** Its startup or liveness probe has failed for good: the run is to be ended and restarted. */
  readonly unhealthy?: { readonly probe: "startup" | "liveness"; readonly message: string };
}

/** Where a lifecycle hook of one container stands, in this process. */
export interface HookView {
  readonly hook: Hook;
  readonly state: "running" | "done" | "failed";
  /** Why it failed. */
  readonly message?: string;
}

/** The name of a lifecycle hook. */
export type Hook = "postStart" | "preStop";

/** Why this node does not run a pod that is new to it: the pod fails with this, nothing is started. */
export interface Rejection {
  /** Kubernetes' reason, e.g. `OutOfcpu`, `NodeAffinity`, `UnexpectedAdmissionError`. */
  readonly reason: string;
  readonly message: string;
}

/**
 * The node ends a pod by itself (eviction, shutdown): everything of it is stopped, then it is
 * `Failed` with this reason. Remembered: an order that was given once is not taken back.
 */
export interface Termination {
  /** Kubernetes' reason, e.g. `Evicted`, `Terminated`. */
  readonly reason: string;
  readonly message: string;
  /** How long its containers get. @default {the pod's own grace} */
  readonly grace?: Ms;
  /** A condition that the pod gets with it, e.g. `DisruptionTarget`. */
  readonly condition?: {
    readonly type: string;
    readonly reason: string;
    readonly message: string;
  };
}

/** What becomes of a pod because the node goes down. */
export interface Shutdown {
  /** How long its containers get at most; absent while it is not the pod's turn. */
  readonly grace?: Ms;
  /** Nothing is to be left of it in the runtime: the agent is stopped for good. */
  readonly remove?: boolean;
}

/** What {@linkcode decide} knows beside the pod, what runs, and what was remembered. */
export interface PodEnv {
  readonly node: NodePolicy;
  readonly objects: PodObjects;
  /** By container name, for the run that is wanted next. */
  readonly images: Readonly<Record<string, ImageView>>;
  /** By container name; absent for a container without probes, or whose probes have not answered yet. */
  readonly probes: Readonly<Record<string, ProbeView>>;
  /** Whether the volumes on disk are as the pod and its objects say. */
  readonly mounted: boolean;
  /** Stops under way in this process: container id to the time of its KILL. */
  readonly stopping: Readonly<Record<string, Ms>>;
  /** Hooks that run or have returned, by container id; of each container the latest. */
  readonly hooks: Readonly<Record<string, HookView>>;
  /** Termination messages of containers that have ended, by container id. */
  readonly messages: Readonly<Record<string, string>>;
  /** An older pod of the same name has not ended yet. */
  readonly predecessor: boolean;
  /** What admission says of the pod; read only while the memory does not say `admitted`. */
  readonly rejection?: Rejection;
  /** What a pod that is new here waits for before it is let in; `tell` is the reason of an Event. */
  readonly waits?: { readonly message: string; readonly tell?: string };
  /** The node goes down: nothing is started any more. */
  readonly shutdown?: Shutdown;
  /** The node wants this pod to end. */
  readonly terminate?: Termination;
  /** Why the node cannot give the pod the resources that its spec wants by now. */
  readonly resizeRefused?: {
    /** `Infeasible` when the node never could. */
    readonly reason: "Deferred" | "Infeasible";
    readonly message: string;
  };
}

/** One thing to do. All are idempotent. */
export type Action =
  /** Looks for the image and pulls it in the background as its policy says. */
  | { readonly type: "image"; readonly container: string; readonly attempt: number }
  /** Writes or refreshes the volumes. */
  | { readonly type: "mount" }
  | { readonly type: "run-sandbox"; readonly attempt: number }
  /** Creates (unless `containerId` was created before) and starts. In order, one after the other. */
  | {
    readonly type: "start";
    readonly container: string;
    readonly attempt: number;
    readonly sandboxId: string;
    readonly containerId?: string;
    /** Of a debugger: the container whose processes it sees. */
    readonly targetId?: string;
  }
  /** Runs a lifecycle hook in the background; it is given up after `limit`. */
  | {
    readonly type: "hook";
    readonly hook: Hook;
    readonly container: string;
    readonly containerId: string;
    readonly limit: Ms;
  }
  /** Gives a running container other resources. */
  | {
    readonly type: "resize";
    readonly container: string;
    readonly containerId: string;
    readonly resources: ResourceRequirements;
  }
  /** Runs in the background until the container has stopped. */
  | {
    readonly type: "stop";
    readonly containerId: string;
    readonly container: string;
    readonly grace: Ms;
  }
  | { readonly type: "stop-sandbox"; readonly sandboxId: string }
  | { readonly type: "remove-sandbox"; readonly sandboxId: string }
  | { readonly type: "remove-container"; readonly containerId: string; readonly logPath?: string }
  /** Removes the volumes of a pod that has ended: its logs stay as long as its object. */
  | { readonly type: "release" }
  /** Removes volumes and logs of the pod. */
  | { readonly type: "clean" };

/** What users see of a step: an Event of the pod. */
export interface PodEvent {
  readonly type: "Normal" | "Warning";
  /** The kubelet's reason, e.g. `BackOff`. */
  readonly reason: string;
  readonly message: string;
  /** e.g. `spec.containers{web}`. */
  readonly fieldPath?: string;
}

/** What {@linkcode decide} answers. */
export interface Plan {
  /** Persisted before the actions run. */
  readonly memory: PodMemory;
  /** What to report now; absent when there is no pod object to report on. */
  readonly status?: PodStatus;
  readonly actions: readonly Action[];
  readonly events: readonly PodEvent[];
  /** When to look again without being told; absent: only when something changes. */
  readonly next?: Ms;
  /** Everything is done and cleaned: report the end of the pod. */
  readonly gone: boolean;
}

/** How an action ended that did not do what it should. */
export interface Outcome {
  readonly action: Action;
  /** Kubernetes' waiting reason. */
  readonly reason: string;
  readonly message: string;
  /** Try again at once on the next look (e.g. the name is still taken), without counting. */
  readonly soft?: boolean;
}
