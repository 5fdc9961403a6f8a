import { conditionOf, type Lease, type Node, type Pod, RESOURCES } from "../../core/api/mod.ts";
import {
  type Clock,
  fromTime,
  isAppError,
  type Logger,
  type Ms,
  type Random,
  type Service,
} from "../../core/base/mod.ts";
import {
  Actor,
  createController,
  jsonEqual,
  keyOf,
  trigger,
  type View,
  type Views,
} from "../../core/control/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { logUnreadable } from "../plane/mod.ts";
import {
  createLeaseRenewal,
  LEASE_NAMESPACE,
  type LeaseObserver,
  type NodeSession,
} from "./leases.ts";
import { decideNode, decidePod, type NodeVerdict, type PodVerdict, REPORTED } from "./lifecycle.ts";

export type { LeaseObserver, NodeSession };

/** Options of {@linkcode createNodes}. */
export interface NodesOptions {
  readonly store: Store;
  /** Whoever makes them runs them, before these services. */
  readonly views: Views;
  /** Where a node's Lease is written, as the node. @default {`store`} */
  readonly storeOf?: ((node: string) => Store) | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** The nodes that are connected to this hub now. */
  readonly sessions: () => Iterable<NodeSession>;
  /** One of them by its name: asked for each change of a node, so it must not walk through all. */
  readonly session: (node: string) => NodeSession | undefined;
  /**
   * Judge nodes by their Leases: taints, conditions, eviction. Off where Kubernetes' own node
   * lifecycle controller does that. @default {true}
   */
  readonly lifecycle?: boolean;
  /** @default {nobody counts} */
  readonly observe?: LeaseObserver;
}

/** The services that keep Leases and judge nodes, in the order to start them. */
export function createNodes(options: NodesOptions): Service[] {
  const renewal = createLeaseRenewal(options);
  if (options.lifecycle === false) return [renewal];
  return [renewal, createLifecycle(options)];
}

function createLifecycle(options: NodesOptions): Service {
  const { store, views, clock, log, session } = options;
  const nodes = views.of<Node>(RESOURCES.nodes);
  const leases = views.of<Lease>(RESOURCES.leases);
  const pods = views.of<Pod>(RESOURCES.pods);
  const actor = new Actor(store, views);
  const unreadable = logUnreadable(log);
  // A hub that was down heard nobody; its nodes get the whole grace from its start.
  const started = clock.now();
  const lastAlive = (node: string): Ms => {
    const seen = session(node)?.lastSeen ?? started;
    const lease = leases.get(`${LEASE_NAMESPACE}/${node}`)?.spec.renewTime;
    return Math.max(started, seen, fromTime(lease) ?? started) as Ms;
  };
  return createController({
    ...options,
    name: "node-lifecycle",
    triggers: [
      trigger(nodes, (node) => [node.metadata.name]),
      trigger(leases, leaseTrigger(nodes)),
      trigger(pods, (pod) => pod.spec.nodeName ? [pod.spec.nodeName] : []),
    ],
    reconcile: async (name) => {
      const node = nodes.get(name);
      if (!node) return await removeLease(name);
      const now = clock.now();
      const verdict = decideNode({ node, lastAlive: lastAlive(name), now });
      await writeNode(node, verdict);
      const times = [verdict.again];
      for (const pod of pods.by("node", name)) {
        times.push(await judgePod(pod, { node, verdict, now }));
      }
      const waits = times.filter((time) => time !== undefined);
      return waits.length > 0 ? Math.min(...waits) as Ms : undefined;
    },
  });

  /** The Lease of a Node that was deleted goes with it. */
  async function removeLease(name: string): Promise<void> {
    const object = leases.get(`${LEASE_NAMESPACE}/${name}`);
    if (!object) return;
    try {
      await store.get({ resource: RESOURCES.nodes, name });
    } catch (error) {
      if (!isAppError(error, "NotFound")) throw error;
      await actor.run([{ do: "delete", resource: RESOURCES.leases, object }]);
    }
  }

  /** Taints and what the node said last are written before the conditions that depend on them. */
  async function writeNode(node: Node, verdict: NodeVerdict): Promise<void> {
    const { alive, conditions } = verdict;
    const name = node.metadata.name;
    const object = withVerdict(node, verdict);
    if (!jsonEqual(object, node)) {
      log.info("node changed", { node: name, alive, taints: verdict.taints.map(({ key }) => key) });
      await actor.run([{ do: "update", resource: RESOURCES.nodes, object }]);
    }
    const current = nodes.get(name);
    if (!current || jsonEqual(conditions, node.status?.conditions ?? [])) return;
    const status = { ...current.status, conditions: [...conditions] };
    await actor.run([{ do: "status", resource: RESOURCES.nodes, object: { ...current, status } }]);
  }

  async function judgePod(
    pod: Pod,
    context: { node: Node; verdict: NodeVerdict; now: Ms },
  ): Promise<Ms | undefined> {
    const { node, verdict: { alive, taints }, now } = context;
    let verdict: PodVerdict;
    try {
      verdict = decidePod({ pod, node, taints, alive, now });
    } catch (error) {
      // The node's other pods are judged all the same.
      unreadable(pod, error);
      return undefined;
    }
    if (verdict.do === "keep") return verdict.again;
    try {
      if (verdict.do === "evict") {
        log.info("pod evicted", {
          name: keyOf(pod),
          node: node.metadata.name,
          because: verdict.because,
        });
        await actor.run([{ do: "delete", resource: RESOURCES.pods, object: pod }]);
        return undefined;
      }
      const object = { ...pod, status: { ...pod.status, conditions: verdict.conditions } };
      await actor.run([{ do: "status", resource: RESOURCES.pods, object }]);
    } catch (error) {
      if (!isAppError(error, "NotFound")) throw error;
    }
    return undefined;
  }
}

/** The node's metadata and spec as the verdict wants them. */
function withVerdict(node: Node, { taints, reported }: NodeVerdict): Node {
  const { taints: _, ...spec } = node.spec ?? {};
  const { [REPORTED]: __, ...others } = node.metadata.annotations ?? {};
  const annotations = reported === undefined ? others : { ...others, [REPORTED]: reported };
  return {
    ...node,
    metadata: {
      ...node.metadata,
      ...(node.metadata.annotations || reported !== undefined ? { annotations } : {}),
    },
    ...(node.spec || taints.length > 0
      ? { spec: { ...spec, ...(taints.length > 0 ? { taints: [...taints] } : {}) } }
      : {}),
  };
}

/** A renewal matters only when the node was thought silent, or goes; else a timer is enough. */
function leaseTrigger(nodes: View<Node>): (lease: Lease, gone: boolean) => string[] {
  return (lease, gone) => {
    const { name } = lease.metadata;
    if (lease.metadata.namespace !== LEASE_NAMESPACE) return [];
    const node = nodes.get(name);
    const ready = conditionOf(node, "Ready");
    return gone || ready?.status === "Unknown" ? [name] : [];
  };
}
