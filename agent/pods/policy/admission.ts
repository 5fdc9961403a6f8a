import {
  type Amounts,
  isExtendedResource,
  matchesNode,
  type Node,
  type Pod,
  portsClash,
  qosClass,
  readAmounts,
  requestsOf,
  requestsOfAll,
  TAINTS,
  tolerates,
  untolerated,
} from "../../../core/api/mod.ts";
import type { Rejection } from "./plan.ts";
import { preempt } from "./preemption.ts";
import { isCritical, type IsOwn } from "./priority.ts";
import { sysctlProblem } from "./sysctls.ts";

/** What {@linkcode admit} looks at. */
export interface AdmissionInput {
  readonly pod: Pod;
  /** This node, as it says of itself and as the hub has tainted and labelled it. */
  readonly node: Node;
  /** The pods that were let in before and have not ended. */
  readonly others: readonly Pod[];
  readonly isOwn: IsOwn;
  /** Node conditions of what there is too little of, e.g. `MemoryPressure`. */
  readonly pressures: ReadonlySet<string>;
  /** Kernel settings beyond the safe ones that pods may have; `net.core.*` stands for several. */
  readonly allowedUnsafeSysctls: readonly string[];
}

/** What becomes of a pod that is new on this node. */
export type Admission =
  | { readonly do: "admit" }
  | { readonly do: "reject"; readonly rejection: Rejection }
  /** Let in, and these end for it; `rejection` is what it would meet if they could not. */
  | {
    readonly do: "preempt";
    readonly victims: readonly Pod[];
    readonly rejection: Rejection;
  };

/** There is less of something than the pod asks for. `cpu` counts in millicores. */
export interface Shortage {
  readonly resource: string;
  readonly requested: number;
  readonly used: number;
  readonly capacity: number;
}

const ADMIT: Admission = { do: "admit" };

/**
 * Whether this node takes a pod that was bound to it: what kube-scheduler has looked at as well,
 * because others bind pods too, and because the node knows best. Order, reasons and messages are
 * the kubelet's (`lifecycle/predicate.go`, `eviction_manager.go`, `sysctl/allowlist.go`).
 */
export function admit(input: AdmissionInput): Admission {
  const { pod, others, isOwn } = input;
  const early = pressed(input) ?? forbiddenSysctls(input) ?? osMismatch(pod);
  if (early) return { do: "reject", rejection: early };
  const shortages = shortagesOf(input);
  const [first] = shortages;
  const other = elsewhere(input);
  if (!first) return other ? { do: "reject", rejection: other } : ADMIT;
  if (!isCritical(pod, isOwn)) return { do: "reject", rejection: outOf(first) };
  if (other) return { do: "reject", rejection: other };
  const victims = preempt({ pod, others, isOwn, shortages });
  return victims ? { do: "preempt", victims, rejection: outOf(first) } : {
    do: "reject",
    rejection: {
      reason: "UnexpectedAdmissionError",
      message: "Unexpected error while attempting to recover from admission failure: preemption: " +
        "error finding a set of pods to preempt: no set of running pods found to reclaim " +
        `resources: [${shortages.map(shortText).join("")}]`,
    },
  };
}

/** A node that has too little already takes what it cannot do without, and no more. */
function pressed({ pod, isOwn, pressures }: AdmissionInput): Rejection | undefined {
  if (pressures.size === 0 || isCritical(pod, isOwn)) return undefined;
  if (pressures.size === 1 && pressures.has("MemoryPressure")) {
    const taint = { key: TAINTS.memoryPressure, effect: "NoSchedule" } as const;
    if (qosClass(pod.spec) !== "BestEffort" || tolerates(pod.spec.tolerations, taint)) {
      return undefined;
    }
  }
  return { reason: "Evicted", message: `The node had condition: [${[...pressures].join(" ")}]. ` };
}

/** Why a pod may not have its kernel settings, which no state of the node changes. */
export function forbiddenSysctls(
  { pod, allowedUnsafeSysctls }: Pick<AdmissionInput, "pod" | "allowedUnsafeSysctls">,
): Rejection | undefined {
  const why = sysctlProblem(pod, allowedUnsafeSysctls);
  return why === undefined
    ? undefined
    : { reason: "SysctlForbidden", message: `forbidden sysctl: ${why}` };
}

function osMismatch({ spec, metadata }: Pod): Rejection | undefined {
  const label = metadata.labels?.["kubernetes.io/os"];
  if (label !== undefined && label !== "linux") {
    return {
      reason: "PodOSSelectorNodeLabelDoesNotMatch",
      message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    };
  }
  const os: unknown = spec["os"]?.name;
  if (os === undefined || os === "linux") return undefined;
  return {
    reason: "PodOSNotSupported",
    message: "Failed to admit pod as the OS field doesn't match node OS",
  };
}

function shortagesOf({ pod, node, others }: AdmissionInput): Shortage[] {
  const allocatable = readAmounts(node.status?.allocatable);
  const out: Shortage[] = [];
  const check = (resource: string, requested: number, used: number): void => {
    const capacity = allocatable.get(resource) ?? 0;
    if (requested > capacity - used) out.push({ resource, requested, used, capacity });
  };
  check("pods", 1, others.length);
  const used = requestsOfAll(others);
  for (const [resource, requested] of inOrder(requestsOf(pod))) {
    // Devices were set aside for the pod before (`PodDevices`), and what the Node says of them may
    // be older than that. Storage may be unknown where the disk cannot be measured.
    if (isExtendedResource(resource)) continue;
    if (!allocatable.has(resource) && resource === "ephemeral-storage") continue;
    if (requested > 0) check(resource, requested, used.get(resource) ?? 0);
  }
  return out;
}

const FIRST = ["cpu", "memory", "ephemeral-storage"];

function inOrder(amounts: Amounts): [string, number][] {
  const rank = (name: string): number => (FIRST.indexOf(name) + 1) || FIRST.length + 1;
  return [...amounts].sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** Why a pod is wrong here although there would be room. */
function elsewhere({ pod, node, others, isOwn }: AdmissionInput): Rejection | undefined {
  if (!matchesNode(pod.spec, node)) {
    return predicate("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
  }
  if (others.some((other) => portsClash(pod, other))) {
    return predicate("NodePorts", "node(s) didn't have free ports for the requested pod ports");
  }
  if (isOwn(pod)) return undefined;
  const taint = untolerated({
    taints: node.spec?.taints?.filter(({ key }) => !OF_THE_HUB.has(key)) ?? [],
    tolerations: pod.spec.tolerations,
    effects: ["NoExecute"],
  });
  return taint &&
    predicate("TaintToleration", "node(s) had taints that the pod didn't tolerate");
}

/**
 * What the hub says of a node that it does not hear. The node knows better: it may have got its
 * own Node with the taint on it just when it was heard again.
 */
export const OF_THE_HUB: ReadonlySet<string> = new Set([TAINTS.unreachable, TAINTS.notReady]);

function predicate(reason: string, why: string): Rejection {
  return { reason, message: `Predicate ${reason} failed: ${why}` };
}

function outOf({ resource, requested, used, capacity }: Shortage): Rejection {
  return {
    reason: `OutOf${resource}`,
    message: `Node didn't have enough resource: ${resource}, requested: ${requested}, ` +
      `used: ${used}, capacity: ${capacity}`,
  };
}

function shortText({ resource, requested, used, capacity }: Shortage): string {
  return `(res: ${resource}, q: ${requested - (capacity - used)}), `;
}
