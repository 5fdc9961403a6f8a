import {
  apiVersionOf,
  type KubeObject,
  type Node,
  type Pod,
  type ResourceDef,
} from "../api/mod.ts";
import { MIRROR_ANNOTATION } from "../api/mod.ts";
import type { ContainerUse, NodeUsage } from "./node_usage.ts";

const define = (plural: string, kind: string, namespaced: boolean): ResourceDef => ({
  group: "metrics.k8s.io",
  version: "v1beta1",
  plural,
  kind,
  singular: "",
  shortNames: [],
  categories: [],
  namespaced,
  hasStatus: false,
});

/** The kinds of `metrics.k8s.io/v1beta1`, which `kubectl top` reads. */
export const METRICS = {
  nodes: define("nodes", "NodeMetrics", false),
  pods: define("pods", "PodMetrics", true),
} as const;

interface Amounts {
  readonly cpu: string;
  readonly memory: string;
}

/** The `NodeMetrics` of a node; `undefined` while it does not say enough. */
export function nodeMetrics(node: Node, usage: NodeUsage | undefined): KubeObject | undefined {
  const use = usage && amounts(usage.node);
  return use && { ...head(METRICS.nodes, node, usage, usage.node.cpu?.time), usage: use };
}

/**
 * The `PodMetrics` of a pod; `undefined` while its node does not say enough. What the node says of
 * an earlier pod of that name is not taken.
 */
export function podMetrics(pod: Pod, usage: NodeUsage | undefined): KubeObject | undefined {
  const { name, namespace = "default", uid, annotations } = pod.metadata;
  const uids = [uid, annotations?.[MIRROR_ANNOTATION]];
  const found = usage?.pods.find(({ podRef }) =>
    podRef.name === name && podRef.namespace === namespace && uids.includes(podRef.uid)
  );
  const containers = (found?.containers ?? []).flatMap((one) => {
    const use = amounts(one);
    return use ? [{ name: one.name, usage: use }] : [];
  });
  if (!usage || containers.length === 0) return undefined;
  const times = (found?.containers ?? []).flatMap(({ cpu }) => cpu?.time ?? []).sort();
  return { ...head(METRICS.pods, pod, usage, times.at(-1)), containers };
}

function amounts({ cpu, memory }: Pick<ContainerUse, "cpu" | "memory">): Amounts | undefined {
  if (cpu?.usageNanoCores === undefined || memory?.workingSetBytes === undefined) return undefined;
  return {
    cpu: `${cpu.usageNanoCores}n`,
    memory: `${Math.floor(memory.workingSetBytes / 1024)}Ki`,
  };
}

function head(
  resource: ResourceDef,
  { metadata }: Node | Pod,
  usage: NodeUsage,
  time = "",
): KubeObject {
  const { name, namespace, labels } = metadata;
  return {
    kind: resource.kind,
    apiVersion: apiVersionOf(resource),
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      creationTimestamp: time,
      ...(labels ? { labels } : {}),
    },
    timestamp: time,
    // Kubelets do not say it; a second is the least that a rate is taken over.
    window: `${usage.skerry?.windowSeconds ?? 1}s`,
  };
}
