import { type Condition, conditionsOf, deviceResources, type Node } from "../api/mod.ts";
import { jsonEqual } from "../control/mod.ts";
import { atHub, type KubeletEndpoint } from "./kubelet_endpoint.ts";
import { mergeResources } from "./node_resources.ts";

/** The part of a Node's status that its node has said, as the store has it. */
export type NodeWord = NonNullable<Node["status"]>;

/**
 * What of a Node's status is its node's, by what the node says: the same members, of the conditions
 * the same types, and of the resources the same names (`mergeResources` has the others). All else is
 * others'. Pure.
 */
export function wordOf(node: Node, said: NodeWord): NodeWord {
  const members = Object.keys(said) as (keyof NodeWord)[];
  const types = new Set(conditionsOf({ status: said }).map(({ type }) => type));
  return {
    ...Object.fromEntries(members.map((member) => [member, node.status?.[member]])),
    ...(said.capacity ? { capacity: amountsOf(node.status?.capacity, said.capacity) } : {}),
    ...(said.allocatable
      ? { allocatable: amountsOf(node.status?.allocatable, said.allocatable) }
      : {}),
    conditions: conditionsOf(node).filter(({ type }) => types.has(type)),
  };
}

function amountsOf(
  now: Readonly<Record<string, string>> = {},
  said: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(Object.entries(now).filter(([name]) => Object.hasOwn(said, name)));
}

/**
 * Whether somebody else wrote over what a node has said, or over the place of its kubelet when that
 * is the hub's to say. Times do not count: a heartbeat is no word. Pure.
 */
export function isOverruled(node: Node, word: NodeWord, kubelet?: KubeletEndpoint): boolean {
  const wanted = {
    ...word,
    ...mergeResources(node.status ?? {}, word, deviceResources(node)),
    ...(kubelet ? atHub(kubelet) : {}),
  };
  return !jsonEqual(timeless(wordOf(node, wanted)), timeless(wanted));
}

function timeless(word: NodeWord): unknown {
  const conditions = conditionsOf({ status: word }).map((
    { lastHeartbeatTime: _, lastTransitionTime: __, ...condition }: Condition,
  ) => condition);
  return { ...word, conditions };
}
