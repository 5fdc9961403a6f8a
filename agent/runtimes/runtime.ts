import type { Bytes, Ms } from "../../core/base/mod.ts";

/** Which optional abilities a runtime has; the conformance suite skips by this, with the reason. */
export interface RuntimeInfo {
  /** e.g. `containerd`. */
  readonly name: string;
  readonly version: string;
  readonly apiVersion: string;
  /** Makes cgroups through systemd, which wants them in a slice. @default {false} */
  readonly systemdCgroups?: boolean;
  readonly features: {
    /** Pushes container events; without it, {@linkcode Runtime.events} polls by itself. */
    readonly events: boolean;
    /** Images are really pulled from a registry. */
    readonly pull: boolean;
    /** Writes what containers print to log files, in CRI's format. */
    readonly logs: boolean;
    /** Runs commands in containers and serves exec, attach and port-forward. */
    readonly streams: boolean;
    /** The default handler honours {@linkcode Mount} `.recursiveReadOnly`. */
    readonly recursiveReadOnly: boolean;
    /** Honours {@linkcode SecurityContext} `.supplementalGroupsPolicy`. */
    readonly supplementalGroupsPolicy: boolean;
  };
}

/** State of the runtime itself, from CRI `Status`. */
export interface RuntimeCondition {
  /** `RuntimeReady`, `NetworkReady`. */
  readonly type: string;
  readonly status: boolean;
  readonly reason: string;
  readonly message: string;
}

/** Labels by which containers and sandboxes are adopted after a restart (the kubelet's own names). */
export const LABEL = {
  podName: "io.kubernetes.pod.name",
  podNamespace: "io.kubernetes.pod.namespace",
  podUid: "io.kubernetes.pod.uid",
  containerName: "io.kubernetes.container.name",
  /** Ours, on every sandbox and container: which agent owns it (its node name). */
  node: "dev.skerry.node",
} as const;

/** A port published on the host. */
export interface PortMapping {
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIp: string;
}

/** Linux namespaces and identity shared by a sandbox or a container. Names follow CRI. */
export interface SecurityContext {
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly runAsUserName?: string;
  readonly supplementalGroups?: readonly number[];
  /** Whether groups that the image gives to the user count too. @default {"Merge"} */
  readonly supplementalGroupsPolicy?: "Merge" | "Strict";
  readonly readOnlyRootFilesystem?: boolean;
  readonly privileged?: boolean;
  readonly noNewPrivileges?: boolean;
  readonly addCapabilities?: readonly string[];
  readonly dropCapabilities?: readonly string[];
  /** `RuntimeDefault`, `Unconfined` or `localhost/<profile>`. */
  readonly seccompProfile?: string;
  /** As `seccompProfile`. */
  readonly apparmorProfile?: string;
  /** The SELinux label; a runtime without SELinux takes no notice of it. */
  readonly seLinux?: {
    readonly user?: string;
    readonly role?: string;
    readonly type?: string;
    readonly level?: string;
  };
  readonly hostNetwork?: boolean;
  readonly hostPid?: boolean;
  /** One PID namespace for all containers of the pod (`shareProcessNamespace`). */
  readonly sharePid?: boolean;
  /** Container whose PID namespace is joined (`kubectl debug --target`). */
  readonly targetContainerId?: string;
  readonly hostIpc?: boolean;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
}

/** What {@linkcode Runtime.runSandbox} needs: CRI `PodSandboxConfig`. */
export interface SandboxConfig {
  readonly podUid: string;
  readonly podName: string;
  readonly podNamespace: string;
  /** Counts sandboxes of one pod; with the UID it makes the call idempotent. */
  readonly attempt: number;
  readonly hostname: string;
  readonly logDirectory: string;
  readonly dns?: {
    readonly servers: readonly string[];
    readonly searches: readonly string[];
    readonly options: readonly string[];
  };
  readonly portMappings: readonly PortMapping[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly cgroupParent?: string;
  readonly sysctls?: Readonly<Record<string, string>>;
  /** What the sandbox needs beyond its containers (RuntimeClass `overhead`). */
  readonly overhead?: ContainerResources;
  /** Sum of what its containers may use; handlers that start a machine for the pod size it by this. */
  readonly resources?: ContainerResources;
  readonly securityContext: SecurityContext;
  /** CRI runtime handler from the RuntimeClass; empty for the default. */
  readonly runtimeHandler?: string;
}

/** A bind mount into a container. */
export interface Mount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly: boolean;
  /** Mounts below it are read-only too; needs `readonly` and private propagation. */
  readonly recursiveReadOnly?: boolean;
  /** What is there gets the container's SELinux label. @default {false} */
  readonly relabel?: boolean;
  readonly propagation: "private" | "host-to-container" | "bidirectional";
}

/** Linux limits of a container, CRI `LinuxContainerResources`. */
export interface ContainerResources {
  readonly cpuShares?: number;
  /** Microseconds. */
  readonly cpuPeriod?: number;
  /** Microseconds per period. */
  readonly cpuQuota?: number;
  readonly memoryLimit?: Bytes;
  readonly oomScoreAdj?: number;
}

/** What {@linkcode Runtime.createContainer} needs: CRI `ContainerConfig`. */
export interface ContainerConfig {
  readonly name: string;
  /** Counts runs of one container of one pod. */
  readonly attempt: number;
  /** The image reference as resolved by {@linkcode Runtime.imageStatus} or {@linkcode Runtime.pullImage}. */
  readonly image: string;
  /** As the pod spec names the image; kept for {@linkcode ObservedContainer.image}. @default {image} */
  readonly imageName?: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly mounts: readonly Mount[];
  readonly devices: readonly {
    readonly hostPath: string;
    readonly containerPath: string;
    readonly permissions: string;
  }[];
  /** Fully qualified CDI names, e.g. `vendor.com/gpu=0`. */
  readonly cdiDevices?: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Below the sandbox's log directory, e.g. `web/0.log`. */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly resources: ContainerResources;
  readonly securityContext: SecurityContext;
}

/** One sandbox as it is. */
export interface ObservedSandbox {
  readonly id: string;
  readonly podUid: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly attempt: number;
  readonly ready: boolean;
  readonly createdAt: Ms;
  /** Known for ready sandboxes after {@linkcode Runtime.observe}; empty for host network. */
  readonly ips: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** One container as it is. */
export interface ObservedContainer {
  readonly id: string;
  readonly sandboxId: string;
  readonly podUid: string;
  readonly name: string;
  readonly attempt: number;
  readonly state: "created" | "running" | "exited" | "unknown";
  readonly createdAt: Ms;
  readonly startedAt?: Ms;
  readonly finishedAt?: Ms;
  readonly exitCode?: number;
  /** CRI's reason, e.g. `Completed`, `Error`, `OOMKilled`. */
  readonly reason?: string;
  readonly message?: string;
  /** As the pod spec named it. */
  readonly image: string;
  /** Digest reference of the image. */
  readonly imageRef: string;
  readonly logPath: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** All that runs, at one time. The truth; events are only hints to look again. */
export interface Observation {
  readonly sandboxes: readonly ObservedSandbox[];
  readonly containers: readonly ObservedContainer[];
}

/** Says that something about a pod may have changed. */
export interface RuntimeEvent {
  /** Absent: look at everything (after a reconnect). */
  readonly podUid?: string;
}

/** Registry credentials. */
export interface ImageAuth {
  readonly username: string;
  readonly password: string;
}

/** An image that is on the node. */
export interface ImageInfo {
  readonly id: string;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly size: Bytes;
  /** Numeric user of the image, when it has one. */
  readonly uid?: number;
  readonly username?: string;
  /** The runtime needs it for itself. */
  readonly pinned?: boolean;
}

/** What a runtime says of its set-up; what it does not say is absent. */
export interface RuntimeDetails {
  readonly sandboxImage?: string;
  readonly cni?: {
    readonly configDir: string;
    readonly binDirs: readonly string[];
    /** Names of the programs that the loaded networks need in {@linkcode binDirs}. */
    readonly plugins: readonly string[];
    /** Ranges that their pods get addresses of, as far as the runtime says. */
    readonly subnets: readonly string[];
    /** Why no network could be loaded. */
    readonly problem?: string;
  };
}

/** How much a container runtime streams: URL of its streaming server (CRI `Exec`, `Attach`, `PortForward`). */
export type StreamRequest =
  | {
    readonly kind: "exec";
    readonly containerId: string;
    readonly command: readonly string[];
    readonly stdin: boolean;
    readonly stdout: boolean;
    readonly stderr: boolean;
    readonly tty: boolean;
  }
  | {
    readonly kind: "attach";
    readonly containerId: string;
    readonly stdin: boolean;
    readonly stdout: boolean;
    readonly stderr: boolean;
    readonly tty: boolean;
  }
  | {
    readonly kind: "port-forward";
    readonly sandboxId: string;
    readonly ports: readonly number[];
  };

/** What one running container uses, from CRI `ContainerStats`. */
export interface ContainerUsage {
  readonly id: string;
  readonly podUid: string;
  readonly name: string;
  /** When it was measured. */
  readonly at: Ms;
  /** Core nanoseconds since its start. */
  readonly cpuNanos: number;
  /** Memory in use that cannot be given back under pressure. */
  readonly workingSet: Bytes;
  /** All memory in use, page cache included; absent where the runtime does not say. */
  readonly memory?: Bytes;
  readonly rss?: Bytes;
  readonly pageFaults?: number;
  readonly majorPageFaults?: number;
  /** Its writable layer. */
  readonly filesystem?: { readonly used: Bytes; readonly inodes: number };
}

/** Counters of one network interface. */
export interface InterfaceUsage {
  readonly name: string;
  readonly rxBytes: number;
  readonly rxErrors: number;
  readonly txBytes: number;
  readonly txErrors: number;
}

/**
 * What one ready sandbox uses beside its containers, from CRI `PodSandboxStats`. Its CPU and memory
 * are left out: runtimes measure the cgroup's parent, which need not be the pod's alone; the sum of
 * its containers is.
 */
export interface SandboxUsage {
  readonly id: string;
  readonly podUid: string;
  readonly at: Ms;
  /** Processes of all its containers. */
  readonly processes?: number;
  /** The first is the default one. Empty for host network. */
  readonly interfaces: readonly InterfaceUsage[];
}

/** A filesystem that images lie on, from CRI `ImageFsInfo`. */
export interface ImageFilesystem {
  readonly mountpoint: string;
  readonly used: Bytes;
  readonly inodes: number;
}

/**
 * Runs pods' sandboxes and containers. Two implementations: CRI (`cri/`) and the fake (`fake/`),
 * one conformance suite. Every call takes a signal and throws `AppError`: `ServiceUnavailable` when
 * the runtime cannot be reached (try again later), `NotFound`, `AlreadyExists`, `Invalid`.
 * Stops and removes of something that is gone succeed.
 */
export interface Runtime extends AsyncDisposable {
  info(signal: AbortSignal): Promise<RuntimeInfo>;
  conditions(signal: AbortSignal): Promise<RuntimeCondition[]>;
  /** For people and for what has to know the runtime's own images. */
  details(signal: AbortSignal): Promise<RuntimeDetails>;
  /** Everything that carries a pod UID label, or only the pod with `podUid`. */
  observe(signal: AbortSignal, podUid?: string): Promise<Observation>;
  /**
   * How many pods have a sandbox that is ready, for each node name that agents have given theirs as
   * {@linkcode LABEL} `.node`: also those that {@linkcode Runtime.observe} leaves out.
   */
  podsByNode(signal: AbortSignal): Promise<ReadonlyMap<string, number>>;
  /** Hints; ends when `signal` aborts; survives the runtime's own restart. Emits an event without podUid after each reconnect. */
  events(signal: AbortSignal): AsyncIterable<RuntimeEvent>;

  imageStatus(image: string, signal: AbortSignal): Promise<ImageInfo | undefined>;
  images(signal: AbortSignal): Promise<ImageInfo[]>;
  /** Ids, digests and names of the images that containers were made from, whoever made them. */
  imagesInUse(signal: AbortSignal): Promise<ReadonlySet<string>>;
  /** Returns the reference to create containers with. */
  pullImage(image: string, auth: ImageAuth | undefined, signal: AbortSignal): Promise<string>;
  removeImage(image: string, signal: AbortSignal): Promise<void>;

  /** Returns the sandbox id. Same (uid, attempt) twice gives AlreadyExists, never a second sandbox. */
  runSandbox(config: SandboxConfig, signal: AbortSignal): Promise<string>;
  stopSandbox(id: string, signal: AbortSignal): Promise<void>;
  removeSandbox(id: string, signal: AbortSignal): Promise<void>;

  /** Returns the container id. Same (name, attempt) in one sandbox twice gives AlreadyExists. */
  createContainer(
    sandboxId: string,
    config: ContainerConfig,
    sandbox: SandboxConfig,
    signal: AbortSignal,
  ): Promise<string>;
  startContainer(id: string, signal: AbortSignal): Promise<void>;
  /** TERM, then KILL after `grace`. Resolves when it has stopped. */
  stopContainer(id: string, grace: Ms, signal: AbortSignal): Promise<void>;
  removeContainer(id: string, signal: AbortSignal): Promise<void>;
  /** Runs a command in a container and waits. Output is cut at 64 KiB each. */
  execSync(
    id: string,
    command: readonly string[],
    timeout: Ms,
    signal: AbortSignal,
  ): Promise<{ exitCode: number; stdout: Uint8Array; stderr: Uint8Array }>;
  /** What running containers use; one pod's with `podUid`. What cannot be measured is left out. */
  containerUsage(signal: AbortSignal, podUid?: string): Promise<ContainerUsage[]>;
  /**
   * What ready sandboxes use; one pod's with `podUid`. What cannot be measured is left out. It costs
   * containerd ten times as much as {@linkcode Runtime.containerUsage}.
   */
  sandboxUsage(signal: AbortSignal, podUid?: string): Promise<SandboxUsage[]>;
  imageFilesystems(signal: AbortSignal): Promise<ImageFilesystem[]>;
  /**
   * Changes limits of a container that runs or will; a field that is absent stays as it is, and a
   * `cpuQuota` of -1 lifts it. @throws {AppError} Unsupported where the runtime cannot
   */
  updateResources(id: string, resources: ContainerResources, signal: AbortSignal): Promise<void>;
  /** Makes the runtime open the container's log file anew, after it was renamed. */
  reopenLog(id: string, signal: AbortSignal): Promise<void>;
  /** The URL of the runtime's streaming server for one exec, attach or port-forward. */
  streamUrl(request: StreamRequest, signal: AbortSignal): Promise<string>;
  /**
   * Makes symbolic links (target by name) in a folder of this node, in place of what has their
   * names. Absent where a runtime cannot: an agent with scoped permissions makes none itself.
   *
   * @throws {AppError} Unsupported where the runtime turns out not to
   */
  makeLinks?(dir: string, links: ReadonlyMap<string, string>, signal: AbortSignal): Promise<void>;
}
