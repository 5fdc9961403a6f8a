import {
  BELONGING_TO,
  groupOfPod,
  type Node,
  type NodeGroup,
  type Pod,
  RESOURCES,
} from "../../core/api/mod.ts";
import { isAppError, type Service } from "../../core/base/mod.ts";
import { createController, jsonEqual, keyOf, trigger } from "../../core/control/mod.ts";
import type { GroupsContext } from "./context.ts";
import {
  decideGroup,
  GROUP_FINALIZER,
  groupSelects,
  nodeGroupStatus,
  podsToEvict,
  readyStatus,
  withGroup,
} from "./node_group.ts";

/** Keeps the label of every node true, and takes pods off nodes that have left their group. */
export function createNodeLabelController(context: GroupsContext): Service {
  const { views, actor, store, log } = context;
  const groups = views.of<NodeGroup>(RESOURCES.nodegroups);
  const nodes = views.of<Node>(RESOURCES.nodes);
  const pods = views.of<Pod>(RESOURCES.pods);
  const changed = changes<NodeGroup>((group) => [
    group.metadata.uid,
    group.metadata.generation,
    group.metadata.deletionTimestamp,
    isHeld(group),
  ]);
  return createController({
    ...context,
    name: "node-group-labels",
    triggers: [
      trigger(nodes, (node) => [keyOf(node)]),
      trigger(groups, (group, gone) => changed(group, gone) ? nodes.all().map(keyOf) : []),
      trigger(pods, (pod) => {
        const node = pod.spec?.nodeName;
        return node && groupOfPod(pod) !== undefined ? [node] : [];
      }),
    ],
    reconcile: async (name) => {
      const node = nodes.get(name);
      if (!node) return;
      const all = groups.all();
      // The label means something only to a finalizer that clears it: it comes first.
      if (all.some((group) => groupSelects(group, node) && !isHeld(group))) return;
      const group = decideGroup(node, all);
      if (withGroup(node, group) !== node) {
        const from = node.metadata.labels?.[BELONGING_TO];
        log.info("node changes its group", { node: name, from, to: group });
        try {
          const done = await store.update(
            { resource: RESOURCES.nodes, name },
            (current) => withGroup(current as Node, group),
            { preconditions: { uid: node.metadata.uid ?? "" } },
          );
          nodes.wrote(done);
        } catch (error) {
          if (isAppError(error, "NotFound")) return;
          throw error;
        }
      }
      for (const pod of podsToEvict(pods.by("node", name), { group, groups: all })) {
        log.info("pod leaves a node that has left its group", { node: name, pod: keyOf(pod) });
        await actor.run([{ do: "delete", resource: RESOURCES.pods, object: pod }]);
      }
    },
  });
}

/** Keeps the finalizer and the status of every group. */
export function createNodeGroupController(context: GroupsContext): Service {
  const { views, actor } = context;
  const groups = views.of<NodeGroup>(RESOURCES.nodegroups);
  const nodes = views.of<Node>(RESOURCES.nodes);
  const pods = views.of<Pod>(RESOURCES.pods);
  const changed = changes<Node>((node) => [node.metadata.labels, readyStatus(node)]);
  const concerned = (node: Node): string[] => {
    const has = node.metadata.labels?.[BELONGING_TO];
    return groups.all().filter((group) =>
      group.metadata.name === has || groupSelects(group, node) ||
      group.metadata.deletionTimestamp !== undefined ||
      // One that has lost it.
      group.status?.nodeStatuses?.some(({ nodeName }) => nodeName === node.metadata.name) === true
    ).map(keyOf);
  };
  return createController({
    ...context,
    name: "node-group-status",
    triggers: [
      trigger(groups, (group) => [
        keyOf(group),
        // Whoever lost a node to this one may get it now.
        ...(group.metadata.deletionTimestamp === undefined ? [] : groups.all().map(keyOf)),
      ]),
      trigger(nodes, (node, gone) => changed(node, gone) ? concerned(node) : []),
      trigger(pods, (pod) => {
        const name = groupOfPod(pod);
        const group = name === undefined ? undefined : groups.get(name);
        return group?.metadata.deletionTimestamp === undefined ? [] : [group.metadata.name];
      }),
    ],
    reconcile: async (name) => {
      const group = groups.get(name);
      if (!group) return;
      const resource = RESOURCES.nodegroups;
      if (group.metadata.deletionTimestamp !== undefined) {
        if (isHeld(group) && !isInUse(name)) {
          await actor.run([{ do: "update", resource, object: withoutFinalizer(group) }]);
        }
        return;
      }
      if (!isHeld(group)) {
        const finalizers = [...group.metadata.finalizers ?? [], GROUP_FINALIZER];
        const metadata = { ...group.metadata, finalizers };
        return await actor.run([{ do: "update", resource, object: { ...group, metadata } }])
          .then(() => {});
      }
      const status = nodeGroupStatus(group, nodes.all(), groups.all());
      if (jsonEqual(status, group.status)) return;
      await actor.run([{ do: "status", resource, object: { ...group, status } }]);
    },
  });

  /** Whether nodes or pods still have to leave a group that goes. */
  function isInUse(name: string): boolean {
    return nodes.all().some((node) =>
      node.metadata.labels?.[BELONGING_TO] === name ||
      pods.by("node", node.metadata.name).some((pod) =>
        groupOfPod(pod) === name && pod.metadata.deletionTimestamp === undefined
      )
    );
  }
}

function isHeld({ metadata }: NodeGroup): boolean {
  return metadata.finalizers?.includes(GROUP_FINALIZER) === true;
}

function withoutFinalizer(group: NodeGroup): NodeGroup {
  const finalizers = (group.metadata.finalizers ?? []).filter((one) => one !== GROUP_FINALIZER);
  return { ...group, metadata: { ...group.metadata, finalizers } };
}

/** Tells the changes that matter from the many others, as heartbeats. */
function changes<T extends { metadata: { name: string } }>(
  part: (object: T) => unknown,
): (object: T, gone: boolean) => boolean {
  const known = new Map<string, string>();
  return (object, gone) => {
    const { name } = object.metadata;
    if (gone) return known.delete(name);
    const text = JSON.stringify(part(object));
    if (known.get(name) === text) return false;
    known.set(name, text);
    return true;
  };
}
