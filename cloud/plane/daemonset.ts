import {
  type DaemonSet,
  matchesNode,
  type Node,
  type Pod,
  RESOURCES,
  type Taint,
  TAINTS,
  type Toleration,
  untolerated,
} from "../../core/api/mod.ts";
import type { Ms } from "../../core/base/mod.ts";
import { type Action, jsonEqual } from "../../core/control/mod.ts";
import { claim } from "./claim.ts";
import { availableIn, isReady, isTerminated, podFromTemplate } from "./pods.ts";
import type { Plan } from "./replicaset.ts";
import { resolveCount, templateHash } from "./template.ts";
import { taintsOf } from "./taints.ts";

/** The label that tells which template a DaemonSet's pod was made from. */
export const REVISION_HASH = "controller-revision-hash";

/** What Kubernetes lets every DaemonSet pod tolerate. Source: `AddOrUpdateDaemonPodTolerations`. */
const TOLERATED: readonly Toleration[] = [
  { key: TAINTS.notReady, operator: "Exists", effect: "NoExecute" },
  { key: TAINTS.unreachable, operator: "Exists", effect: "NoExecute" },
  { key: TAINTS.diskPressure, operator: "Exists", effect: "NoSchedule" },
  { key: TAINTS.memoryPressure, operator: "Exists", effect: "NoSchedule" },
  { key: TAINTS.pidPressure, operator: "Exists", effect: "NoSchedule" },
  { key: TAINTS.unschedulable, operator: "Exists", effect: "NoSchedule" },
];

/** What a DaemonSet's rule looks at. */
export interface DaemonSetInput {
  readonly set: DaemonSet;
  readonly nodes: readonly Node[];
  /** All pods of its namespace. */
  readonly pods: readonly Pod[];
  readonly now: Ms;
}

/** Keeps one pod on every node that the DaemonSet wants. Pure. */
export function planDaemonSet(input: DaemonSetInput): Plan {
  const { set, nodes, now } = input;
  const { mine, actions: claims } = claim({
    owner: set,
    selector: set.spec.selector,
    candidates: input.pods,
    resource: RESOURCES.pods,
  });
  const hash = templateHash(set.spec.template);
  const onNode = groupByNode(mine);
  const leaving = set.metadata.deletionTimestamp !== undefined;
  const actions: Action[] = [...claims];
  if (!leaving) {
    for (const node of nodes) {
      const here = onNode.get(node.metadata.name) ?? [];
      actions.push(...stepsOn(set, { node, pods: here, hash }));
    }
    actions.push(...replaceOld(set, { nodes, onNode, hash, now, doomed: doomedBy(actions) }));
  }
  const { status, again } = statusOf(set, { nodes, onNode, hash, now });
  if (!jsonEqual(status, set.status)) {
    actions.push({ do: "status", resource: RESOURCES.daemonsets, object: { ...set, status } });
  }
  return { actions, ...(again === undefined ? {} : { again }) };
}

/** The pods of each node, those that the scheduler has yet to bind included; oldest first. */
function groupByNode(pods: readonly Pod[]): Map<string, Pod[]> {
  const groups = new Map<string, Pod[]>();
  for (const pod of pods) {
    const name = pod.spec.nodeName ?? targetOf(pod);
    if (name === undefined) continue;
    groups.set(name, [...groups.get(name) ?? [], pod]);
  }
  for (const group of groups.values()) {
    group.sort((a, b) =>
      Number(Boolean(b.spec.nodeName)) - Number(Boolean(a.spec.nodeName)) ||
      String(a.metadata.creationTimestamp).localeCompare(String(b.metadata.creationTimestamp)) ||
      a.metadata.name.localeCompare(b.metadata.name)
    );
  }
  return groups;
}

/** The node that an unbound DaemonSet pod is for, from its affinity. */
function targetOf(pod: Pod): string | undefined {
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const field = required?.nodeSelectorTerms[0]?.matchFields?.find(({ key }) =>
    key === "metadata.name"
  );
  return field?.values?.[0];
}

/** Whether a node should get a pod, and whether one that it has may stay. */
function verdict(set: DaemonSet, node: Node): { run: boolean; stay: boolean } {
  const { spec } = set.spec.template;
  if (!matchesNode(spec, node)) return { run: false, stay: false };
  const tolerations = [...spec.tolerations ?? [], ...TOLERATED];
  // What a condition alone stands for passes by itself; DaemonSets go on not-ready nodes as well.
  const taints = taintsOf(node).filter(({ key }) =>
    key !== TAINTS.notReady && key !== TAINTS.unreachable
  );
  const blocks = (effects: Taint["effect"][]): boolean =>
    untolerated({ taints, tolerations, effects }) !== undefined;
  return { run: !blocks(["NoSchedule", "NoExecute"]), stay: !blocks(["NoExecute"]) };
}

function stepsOn(
  set: DaemonSet,
  options: { node: Node; pods: readonly Pod[]; hash: string },
): Action[] {
  const { node, pods, hash } = options;
  const { run, stay } = verdict(set, node);
  const alive = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  if (!stay || (!run && alive.length === 0)) return alive.map(remove);
  const failed = alive.filter(isTerminated);
  const good = alive.filter((pod) => !isTerminated(pod));
  const extra = good.slice(1);
  const steps = [...failed, ...extra].map(remove);
  // A pod on its way out still holds the node's ports and volumes: the next one waits for its end.
  const empty = pods.length === 0;
  return run && empty ? [...steps, create(set, node, hash)] : steps;
}

function remove(object: Pod): Action {
  return { do: "delete", resource: RESOURCES.pods, object };
}

function create(set: DaemonSet, node: Node, hash: string): Action {
  const pod = podFromTemplate(set.spec.template, set, { [REVISION_HASH]: hash });
  const network: Toleration[] = pod.spec.hostNetwork
    ? [{ key: TAINTS.networkUnavailable, operator: "Exists", effect: "NoSchedule" }]
    : [];
  const missing = [...TOLERATED, ...network].filter((toleration) =>
    !(pod.spec.tolerations ?? []).some((own) => jsonEqual(own, toleration))
  );
  pod.spec.tolerations = [...pod.spec.tolerations ?? [], ...missing];
  pod.spec.affinity = pinned(pod, node.metadata.name);
  return { do: "create", resource: RESOURCES.pods, object: pod };
}

/** The pod's affinity, with the node's name in every required term. */
function pinned(pod: Pod, node: string): NonNullable<Pod["spec"]["affinity"]> {
  const field = { key: "metadata.name", operator: "In", values: [node] };
  const affinity = pod.spec.affinity ?? {};
  const terms = affinity.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    ?.nodeSelectorTerms ?? [{}];
  const nodeSelectorTerms = terms.map((term) => ({ ...term, matchFields: [field] }));
  return {
    ...affinity,
    nodeAffinity: {
      ...affinity.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms },
    },
  };
}

function doomedBy(actions: readonly Action[]): Set<string | undefined> {
  return new Set(
    actions.filter((action) => action.do === "delete").map(({ object }) => object.metadata.uid),
  );
}

/** Pods of another template that go now: unavailable ones, then as many as may be missing. */
function replaceOld(
  set: DaemonSet,
  options: {
    nodes: readonly Node[];
    onNode: ReadonlyMap<string, readonly Pod[]>;
    hash: string;
    now: Ms;
    doomed: ReadonlySet<string | undefined>;
  },
): Action[] {
  const { nodes, onNode, hash, now, doomed } = options;
  if (set.spec.updateStrategy?.type === "OnDelete") return [];
  const wanted = nodes.filter((node) => verdict(set, node).run);
  const most = set.spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1;
  let budget = Math.max(1, resolveCount(most, wanted.length, "up"));
  const broken: Pod[] = [];
  const serving: Pod[] = [];
  for (const node of wanted) {
    const pods = onNode.get(node.metadata.name) ?? [];
    const pod = pods.find(({ metadata }) =>
      metadata.deletionTimestamp === undefined && !doomed.has(metadata.uid)
    );
    const available = pod !== undefined &&
      availableIn(pod, set.spec.minReadySeconds ?? 0, now) === 0;
    if (!available) budget--;
    if (pod && pod.metadata.labels?.[REVISION_HASH] !== hash) {
      (available ? serving : broken).push(pod);
    }
  }
  // One that does not serve anyway costs nothing.
  return [...broken, ...serving.slice(0, Math.max(0, budget))].map(remove);
}

function statusOf(
  set: DaemonSet,
  options: {
    nodes: readonly Node[];
    onNode: ReadonlyMap<string, readonly Pod[]>;
    hash: string;
    now: Ms;
  },
): { status: NonNullable<DaemonSet["status"]>; again?: Ms } {
  const { nodes, onNode, hash, now } = options;
  let [desired, current, misscheduled, ready, updated, available] = [0, 0, 0, 0, 0, 0];
  let again: Ms | undefined;
  for (const node of nodes) {
    const pod = (onNode.get(node.metadata.name) ?? []).find((one) => !isTerminated(one));
    if (!verdict(set, node).run) {
      if (pod) misscheduled++;
      continue;
    }
    desired++;
    if (!pod) continue;
    current++;
    if (pod.metadata.labels?.[REVISION_HASH] === hash) updated++;
    if (isReady(pod)) ready++;
    const wait = availableIn(pod, set.spec.minReadySeconds ?? 0, now);
    if (wait === 0) available++;
    else if (wait !== undefined && (again === undefined || wait < again)) again = wait;
  }
  return {
    status: {
      currentNumberScheduled: current,
      numberMisscheduled: misscheduled,
      desiredNumberScheduled: desired,
      numberReady: ready,
      observedGeneration: set.metadata.generation ?? 0,
      updatedNumberScheduled: updated,
      numberAvailable: available,
      numberUnavailable: desired - available,
    },
    ...(again === undefined ? {} : { again }),
  };
}
