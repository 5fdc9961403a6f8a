import {
  BELONGING_TO,
  conditionOf,
  groupOfPod,
  type Node,
  type NodeGroup,
  type NodeGroupStatus,
  type Pod,
} from "../../core/api/mod.ts";

/** Holds a group that is deleted until no node belongs to it any more; KubeEdge's own. */
export const GROUP_FINALIZER = "apps.kubeedge.io/nodegroup-controller";

/** Whether a group wants a node: by its name, or by all of its labels. A group that goes wants none. */
export function groupSelects(group: NodeGroup, node: Node): boolean {
  if (group.metadata.deletionTimestamp !== undefined) return false;
  const { nodes = [], matchLabels = {} } = group.spec ?? {};
  if (nodes.includes(node.metadata.name)) return true;
  // No labels at all would be all nodes, which nobody means who leaves them out.
  const wanted = Object.entries(matchLabels);
  return wanted.length > 0 &&
    wanted.every(([key, value]) => node.metadata.labels?.[key] === value);
}

/**
 * The group that a node belongs to: of those that want it the one that has it, else the oldest, else
 * the first by name.
 */
export function decideGroup(node: Node, groups: readonly NodeGroup[]): string | undefined {
  const wanting = groups.filter((group) => groupSelects(group, node));
  const has = node.metadata.labels?.[BELONGING_TO];
  if (wanting.some(({ metadata }) => metadata.name === has)) return has;
  return wanting.sort(byAge)[0]?.metadata.name;
}

function byAge(a: NodeGroup, b: NodeGroup): number {
  const [ages, names] = [
    [a.metadata.creationTimestamp ?? "", b.metadata.creationTimestamp ?? ""],
    [a.metadata.name, b.metadata.name],
  ] as const;
  return compare(...ages) || compare(...names);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The node with the label that it should have; the same object when it has it. */
export function withGroup(node: Node, group: string | undefined): Node {
  const { [BELONGING_TO]: has, ...labels } = node.metadata.labels ?? {};
  if (has === group) return node;
  return {
    ...node,
    metadata: {
      ...node.metadata,
      labels: group === undefined ? labels : { ...labels, [BELONGING_TO]: group },
    },
  };
}

/**
 * The pods that have to leave a node: those of a group that is known not to have the node any more.
 * A group that nobody knows is no reason: its pods may have come first.
 */
export function podsToEvict(
  pods: readonly Pod[],
  { group, groups }: {
    /** That the node belongs to. */
    readonly group: string | undefined;
    readonly groups: readonly NodeGroup[];
  },
): Pod[] {
  const known = new Set(groups.map(({ metadata }) => metadata.name));
  return pods.filter((pod) => {
    const wants = groupOfPod(pod);
    return wants !== undefined && wants !== group && known.has(wants) &&
      pod.metadata.deletionTimestamp === undefined;
  });
}

/** The status of a group, nodes in the order of their names. */
export function nodeGroupStatus(
  group: NodeGroup,
  nodes: readonly Node[],
  groups: readonly NodeGroup[],
): NodeGroupStatus {
  const statuses = nodes.filter((node) => groupSelects(group, node)).map((node) => ({
    nodeName: node.metadata.name,
    readyStatus: readyStatus(node),
    ...selection(group.metadata.name, node, groups),
  }));
  const there = new Set(nodes.map(({ metadata }) => metadata.name));
  const gone = group.metadata.deletionTimestamp === undefined
    ? new Set((group.spec?.nodes ?? []).filter((name) => !there.has(name)))
    : [];
  const missing = [...gone].map((nodeName) => ({
    nodeName,
    readyStatus: "Unknown",
    selectionStatus: "Failed",
    selectionStatusReason: "there is no node of this name",
  }));
  return {
    nodeStatuses: [...statuses, ...missing].sort((a, b) => compare(a.nodeName, b.nodeName)),
  };
}

function selection(group: string, node: Node, groups: readonly NodeGroup[]) {
  const has = node.metadata.labels?.[BELONGING_TO];
  if (has === group) return { selectionStatus: "Succeeded" };
  const wanted = decideGroup(node, groups);
  return {
    selectionStatus: "Failed",
    selectionStatusReason: wanted === group
      ? `the node's label ${BELONGING_TO} is about to be set`
      : `the node belongs to the NodeGroup ${wanted}; a node is in one group at most`,
  };
}

/** `Ready`, `NotReady` or `Unknown`. */
export function readyStatus(node: Node): string {
  const ready = conditionOf(node, "Ready")?.status;
  return ready === "True" ? "Ready" : ready === "False" ? "NotReady" : "Unknown";
}
