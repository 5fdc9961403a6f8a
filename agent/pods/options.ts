import type { Pod, PodStatus } from "../../core/api/mod.ts";
import type { Bytes, Clock, Logger, Random } from "../../core/base/mod.ts";
import type { LocalStore, Tx } from "../../core/store/mod.ts";
import type { Runtime } from "../runtimes/mod.ts";
import type { PodEvent, Rejection, Termination } from "./policy/plan.ts";
import type { PodDevices } from "./devices.ts";
import type { RequestToken } from "./token_keeper.ts";
import type { LocalApiPlace } from "./config/local_api.ts";
import type { SandboxNode } from "./config/sandbox_config.ts";

/** Where the manager says what happened. Each is called inside the transaction that wrote it. */
export interface PodReports {
  /** The status of a pod has changed. */
  status(tx: Tx, pod: Pod, status: PodStatus): void;
  /** Users should see this. */
  event(tx: Tx, pod: Pod, event: PodEvent): void;
  /** Everything of the pod is stopped and cleaned: the hub may delete the object with this UID. */
  gone(tx: Tx, pod: Pod): void;
}

/** What the operator sets for pods. */
export interface PodConfig extends SandboxNode {
  /** Absolute folder for `pods/`. */
  readonly stateDir: string;
  /** @default {"/var/log/pods"} */
  readonly logDir?: string;
  /**
   * This agent's folder on a tmpfs, see `findMemoryDir`; without it pods with secret or memory
   * volumes are refused.
   */
  readonly memoryDir?: string;
  /** The node's own API, for pods. @default {they are told the cluster's address} */
  readonly localApi?: LocalApiPlace;
  /** @default {false} */
  readonly allowPrivileged?: boolean;
  /** Pods that are worked on at once. @default {16} */
  readonly workers?: number;
  /** Images that are pulled at once. @default {3} */
  readonly pulls?: number;
  /** The node's cores, for the downward API. */
  readonly cpuCapacity: number;
  /** The node's memory, for the downward API and OOM scores. */
  readonly memoryCapacity: Bytes;
  /** The disk that pods write to, for the downward API. */
  readonly storageCapacity: Bytes;
}

/** What the node itself says of its pods. Both are pure of side effects and may be asked often. */
export interface NodeVerdicts {
  /**
   * Why a pod that is new here cannot run. `others` are the pods that were admitted and have not
   * ended. Asked before anything of the pod is started, and never again once it was let in.
   */
  admit(pod: Pod, others: readonly Pod[]): Rejection | undefined;
  /** Whether the node ends this pod; `PodManager.look` makes a new answer known. */
  terminate(pod: Pod): Termination | undefined;
}

/** Options of `PodManager`. */
export interface PodManagerOptions {
  readonly store: LocalStore;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly config: PodConfig;
  /** The node's addresses, primary first. */
  readonly hostIPs: () => readonly string[];
  /** Whether the store shows what the hub wants; before that nothing without a pod object is removed. */
  readonly synced: () => boolean;
  readonly report: PodReports;
  /**
   * Asks the hub for the UIDs of all pods that its store has for this node.
   * @default {pods that are not known here run on}
   */
  readonly boundPods?: ((signal: AbortSignal) => Promise<readonly string[]>) | undefined;
  /**
   * Told when `PodManager.strays` has another answer than before; `fresh` when some have been found,
   * and not only gone.
   */
  readonly onStrays?: ((fresh: boolean) => void) | undefined;
  /** Told when the runtime was lost or has come back. */
  readonly onRuntime?: () => void;
  /** @default {every pod is let in, none is ended} */
  readonly verdicts?: NodeVerdicts;
  /** @default {pods that ask for devices wait} */
  readonly devices?: PodDevices | undefined;
  /** Has the cluster issue service account tokens. @default {pods that ask for one wait} */
  readonly requestToken?: RequestToken | undefined;
  /** Told after a token was written. @default {nobody is} */
  readonly onToken?: (() => void) | undefined;
}

/** Space of the rows that remember pods, keyed by UID. */
export const MEMORY_SPACE = "pods";
/**
 * Space of the tombstones: a row keyed by UID says that the hub deleted this pod explicitly. Its
 * value is JSON, `{}` or `{"graceSeconds": n}`. The manager removes the row when the pod has gone.
 */
export const GONE_SPACE = "pod-gone";
/**
 * Notes, in the transaction that removes its object, that a pod was explicitly deleted: without
 * this (or a deletionTimestamp seen before) a pod whose object is absent runs on.
 */
export function buryPod(tx: Tx, uid: string, graceSeconds?: number): void {
  tx.putRow(GONE_SPACE, uid, JSON.stringify(graceSeconds === undefined ? {} : { graceSeconds }));
}
