import { type Node, type Pod, RESOURCES } from "../../core/api/mod.ts";
import { fromTime, type Ms, ms, seconds, type Service } from "../../core/base/mod.ts";
import { findObject } from "../../core/store/mod.ts";
import { createController, keyOf, trigger } from "../../core/control/mod.ts";
import type { PlaneContext } from "./context.ts";
import { isTerminated } from "./pods.ts";

/** A node must have been missing this long before its pods go; Kubernetes' own quarantine. */
export const QUARANTINE = seconds(40);
/** Ended pods that are kept; the oldest go first. */
const KEEP_ENDED = 1000;

/** Removes pods of deleted nodes, and the oldest of too many ended ones. */
export function createPodGarbageCollector(context: PlaneContext): Service {
  const pods = context.views.of<Pod>(RESOURCES.pods);
  const nodes = context.views.of<Node>(RESOURCES.nodes);
  /** When a node's absence was first noticed. */
  const missing = new Map<string, Ms>();
  return createController({
    ...context,
    name: "pod-garbage-collector",
    workers: 1,
    triggers: [
      trigger(nodes, (node) => [node.metadata.name]),
      // The empty key stands for the ended pods of all nodes.
      trigger(pods, (pod) => {
        const { nodeName } = pod.spec;
        return [...(nodeName ? [nodeName] : []), ...(isTerminated(pod) ? [""] : [])];
      }),
    ],
    reconcile: async (node) => {
      if (node === "") return await sweep();
      if (pods.by("node", node).length === 0 || nodes.get(node)) {
        missing.delete(node);
        return;
      }
      const since = missing.get(node) ?? context.clock.monotonic();
      missing.set(node, since);
      const left = since + QUARANTINE - context.clock.monotonic();
      if (left > 0) return ms(left);
      if (await exists(node)) return;
      for (const object of pods.by("node", node)) {
        context.log.info("removing a pod of a deleted node", { name: keyOf(object), node });
        await remove(object);
      }
      missing.delete(node);
    },
  });

  async function sweep(): Promise<void> {
    const ended = pods.all().filter(isTerminated)
      .sort((a, b) => createdAt(a) - createdAt(b));
    for (const pod of ended.slice(0, Math.max(0, ended.length - KEEP_ENDED))) await remove(pod);
  }

  async function remove(object: Pod): Promise<void> {
    const options = { gracePeriodSeconds: 0 };
    await context.actor.run([{ do: "delete", resource: RESOURCES.pods, object, options }]);
  }

  async function exists(node: string): Promise<boolean> {
    return await findObject(context.store, { resource: RESOURCES.nodes, name: node }) !== undefined;
  }
}

function createdAt(pod: Pod): number {
  return fromTime(pod.metadata.creationTimestamp) ?? 0;
}
