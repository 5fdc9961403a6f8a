import { type Node, type Pod, RESOURCES, type Taint } from "../../core/api/mod.ts";
import { type Clock, seconds, type Service, sleep } from "../../core/base/mod.ts";
import type { LocalStore } from "../../core/store/mod.ts";
import {
  admit,
  forbiddenSysctls,
  type IsOwn,
  type NodeVerdicts,
  type PodEvent,
  type Rejection,
  taintEndsAt,
  type Termination,
} from "../pods/mod.ts";

/** Options of {@linkcode Verdicts}. */
export interface VerdictOptions {
  readonly node: string;
  readonly store: LocalStore;
  readonly clock: Clock;
  readonly isOwn: IsOwn;
  readonly pressures: () => ReadonlySet<string>;
  /** See {@linkcode AdmissionInput}. */
  readonly allowedUnsafeSysctls: readonly string[];
  /** Whether the hub is heard: then it judges by taints, and what it says of them may be newer. */
  readonly linked: () => boolean;
  /** Whether eviction ends a pod. */
  readonly evicted: (uid: string) => Termination | undefined;
  /** The pods that were let in and have not ended. */
  readonly active: () => readonly Pod[];
  /** Makes a new answer for a pod known. */
  readonly look: (uid: string) => void;
  readonly podEvent: (pod: Pod, event: PodEvent) => void;
}

/** Taints are looked at so often. */
const EVERY = seconds(10);

const PREEMPTED = "Preempted in order to admit critical pod";
const PREEMPTION: Termination = {
  reason: "Preempting",
  message: PREEMPTED,
  condition: {
    type: "DisruptionTarget",
    reason: "TerminationByKubelet",
    message: "Pod was preempted by Kubelet to accommodate a critical pod.",
  },
};

/** As Kubernetes' taint eviction controller says it; it would delete the pod. */
const TAINTED = "Taint manager: deleting due to NoExecute taint";
const TAINT_EVICTION: Termination = {
  reason: "TaintManagerEviction",
  message: TAINTED,
  condition: { type: "DisruptionTarget", reason: "DeletionByTaintManager", message: TAINTED },
};

/** What the node says of its pods: which it lets in, and which it ends. */
export class Verdicts implements NodeVerdicts, Service {
  readonly name = "taints";
  readonly onFailure = "restart";
  readonly #options: VerdictOptions;
  readonly #preempted = new Set<string>();
  readonly #tainted = new Set<string>();

  constructor(options: VerdictOptions) {
    this.#options = options;
  }

  /**
   * See {@linkcode NodeVerdicts}. A critical pod for which others have to go is let in at once, and
   * does not wait for their end: requests are promises, and those of a pod that ends are free.
   */
  admit(pod: Pod, others: readonly Pod[]): Rejection | undefined {
    const { isOwn, allowedUnsafeSysctls, look, podEvent } = this.#options;
    const node = this.#node();
    // A node that does not know itself yet has nothing else to refuse by.
    if (!node) return forbiddenSysctls({ pod, allowedUnsafeSysctls });
    const staying = others.filter(({ metadata }) => !this.#preempted.has(metadata.uid ?? ""));
    const pressures = this.#options.pressures();
    const answer = admit({ pod, node, others: staying, isOwn, pressures, allowedUnsafeSysctls });
    if (answer.do === "admit") return undefined;
    if (answer.do === "reject") return answer.rejection;
    // One that was let in before asks for more now: nobody ends for that.
    if (this.#isIn(pod)) return answer.rejection;
    for (const victim of answer.victims) {
      const { uid = "" } = victim.metadata;
      this.#preempted.add(uid);
      podEvent(victim, { type: "Warning", reason: PREEMPTION.reason, message: PREEMPTED });
      look(uid);
    }
    return undefined;
  }

  /** See {@linkcode NodeVerdicts}. */
  terminate(pod: Pod): Termination | undefined {
    const { uid = "" } = pod.metadata;
    const other = this.#options.evicted(uid) ??
      (this.#preempted.has(uid) ? PREEMPTION : undefined);
    if (other || !this.#isDue(pod, this.#taints())) return other;
    this.#tell(pod);
    return TAINT_EVICTION;
  }

  /** See {@linkcode Service}: looks at pods whose time under a taint has come. */
  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    ready();
    while (!signal.aborted) {
      this.#look();
      await sleep(this.#options.clock, EVERY, signal).catch(() => {});
    }
  }

  #look(): void {
    const { active, look } = this.#options;
    const taints = this.#taints();
    if (taints.length + this.#preempted.size + this.#tainted.size === 0) return;
    const pods = active();
    const uids = new Set(pods.map(({ metadata }) => metadata.uid ?? ""));
    for (const set of [this.#preempted, this.#tainted]) {
      for (const uid of set) if (!uids.has(uid)) set.delete(uid);
    }
    for (const pod of pods) {
      const { uid = "" } = pod.metadata;
      if (!this.#tainted.has(uid) && this.#isDue(pod, taints)) look(uid);
    }
  }

  #tell(pod: Pod): void {
    const { uid = "", namespace = "default", name } = pod.metadata;
    if (this.#tainted.has(uid)) return;
    this.#tainted.add(uid);
    const message = `Marking for deletion Pod ${namespace}/${name}`;
    this.#options.podEvent(pod, { type: "Normal", reason: TAINT_EVICTION.reason, message });
  }

  #isIn({ metadata: { uid } }: Pod): boolean {
    return this.#options.active().some(({ metadata }) => metadata.uid === uid);
  }

  #isDue(pod: Pod, taints: readonly Taint[]): boolean {
    const { isOwn, clock } = this.#options;
    if (taints.length === 0 || isOwn(pod)) return false;
    const at = taintEndsAt(pod, taints, clock.now());
    return at !== undefined && at <= clock.now();
  }

  /** Those that are the node's to judge; every look at a pod asks, so the Node is only read for that. */
  #taints(): readonly Taint[] {
    if (this.#options.linked()) return [];
    return this.#node()?.spec?.taints?.filter(({ effect }) => effect === "NoExecute") ?? [];
  }

  /** As it is now: a label may have come just before the pod that asks for it. */
  #node(): Node | undefined {
    const { store, node: name } = this.#options;
    return store.transact((tx) => tx.get({ resource: RESOURCES.nodes, name })) as Node | undefined;
  }
}
