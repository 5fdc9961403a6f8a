import {
  hostPortsOf,
  matchesNode,
  type Node,
  type Pod,
  portsClash,
  readAmounts,
  requestsOf,
  requestsOfAll,
  TAINTS,
  tolerates,
  untolerated,
} from "../../core/api/mod.ts";
import { controllerOf } from "../../core/control/mod.ts";
import { isTerminated } from "./pods.ts";
import { taintsOf } from "./taints.ts";

/** What the scheduler looks at. */
export interface ScheduleInput {
  readonly pod: Pod;
  readonly nodes: readonly Node[];
  /** The pods bound to a node, ended ones included. */
  readonly podsOn: (node: string) => readonly Pod[];
  /** Told of a node, or a pod on one, that is left out because it cannot be read. */
  readonly onUnreadable?: (object: Node | Pod, error: unknown) => void;
}

/** Where a pod goes, or why it goes nowhere. */
export type Placement =
  | { readonly node: string }
  /** In kube-scheduler's words. */
  | { readonly node?: undefined; readonly message: string };

/**
 * Chooses a node for a pod. Pure. Among the nodes that fit, the one with the fewest siblings of the
 * pod, then the least filled one; names decide what is left, so that the answer is always the same.
 */
export function schedule(input: ScheduleInput): Placement {
  const { nodes } = input;
  if (nodes.length === 0) return { message: "no nodes available to schedule pods" };
  const reasons = new Map<string, number>();
  let best: { node: Node; score: Score } | undefined;
  for (const node of nodes) {
    const { why, score } = judge(input, node);
    for (const reason of why) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    if (score && (!best || isBetter(score, best.score))) best = { node, score };
  }
  if (best) return { node: best.node.metadata.name };
  const list = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort().join(", ");
  return { message: `0/${nodes.length} nodes are available: ${list}.` };
}

/** One node: why it cannot take the pod, or how well it would. */
function judge(input: ScheduleInput, node: Node): { why: string[]; score?: Score } {
  const { pod, podsOn, onUnreadable } = input;
  const pods = podsOn(node.metadata.name).filter((other) => {
    try {
      if (isTerminated(other)) return false;
      requestsOf(other);
      hostPortsOf(other);
      controllerOf(other);
      return true;
    } catch (error) {
      onUnreadable?.(other, error);
      return false;
    }
  });
  try {
    const why = whyNot(pod, node, pods);
    return why.length > 0 ? { why } : { why, score: scoreOf(pod, node, pods) };
  } catch (error) {
    onUnreadable?.(node, error);
    return { why: ["node(s) could not be read"] };
  }
}

/** Why `node` cannot take `pod`; empty when it can. Like kube-scheduler, the first filter speaks. */
export function whyNot(pod: Pod, node: Node, pods: readonly Pod[]): string[] {
  const { spec } = pod;
  const cordon = { key: TAINTS.unschedulable, effect: "NoSchedule" } as const;
  if (node.spec?.unschedulable && !tolerates(spec.tolerations, cordon)) {
    return ["node(s) were unschedulable"];
  }
  const taint = untolerated({
    taints: taintsOf(node).filter(({ key }) => key !== TAINTS.unschedulable),
    tolerations: spec.tolerations,
    effects: ["NoSchedule", "NoExecute"],
  });
  if (taint) return [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}`];
  if (!matchesNode(spec, node)) return ["node(s) didn't match Pod's node affinity/selector"];
  if (pods.some((other) => portsClash(pod, other))) {
    return ["node(s) didn't have free ports for the requested pod ports"];
  }
  return insufficient(pod, node, pods);
}

function insufficient(pod: Pod, node: Node, pods: readonly Pod[]): string[] {
  const allocatable = readAmounts(node.status?.allocatable ?? node.status?.capacity);
  const reasons: string[] = [];
  if (pods.length + 1 > (allocatable.get("pods") ?? 0)) reasons.push("Too many pods");
  const used = requestsOfAll(pods);
  for (const [name, amount] of requestsOf(pod)) {
    if (amount > 0 && amount + (used.get(name) ?? 0) > (allocatable.get(name) ?? 0)) {
      reasons.push(`Insufficient ${name}`);
    }
  }
  return reasons;
}

/** Smaller is better, earlier numbers first. */
type Score = readonly [
  avoided: number,
  siblings: number,
  filled: number,
  pods: number,
  name: string,
];

function scoreOf(pod: Pod, node: Node, pods: readonly Pod[]): Score {
  const owner = controllerOf(pod)?.uid;
  const avoided =
    taintsOf(node).filter((taint) =>
      taint.effect === "PreferNoSchedule" && !tolerates(pod.spec.tolerations, taint)
    ).length;
  const siblings = owner === undefined
    ? 0
    : pods.filter((other) => controllerOf(other)?.uid === owner).length;
  const allocatable = readAmounts(node.status?.allocatable ?? node.status?.capacity);
  const used = requestsOfAll([...pods, pod]);
  const filled = Math.max(
    0,
    ...["cpu", "memory"].map((name) => {
      const most = allocatable.get(name) ?? 0;
      return most > 0 ? (used.get(name) ?? 0) / most : 0;
    }),
  );
  return [avoided, siblings, filled, pods.length, node.metadata.name];
}

function isBetter(a: Score, b: Score): boolean {
  for (let i = 0; i < a.length; i++) {
    const [left, right] = [a[i] ?? 0, b[i] ?? 0];
    if (left !== right) return left < right;
  }
  return false;
}
