import { type Node, type Pod, RESOURCES } from "../api/mod.ts";
import { AppError, type Clock, errorText, isAppError, type NodeName } from "../base/mod.ts";
import type { ExtraResource, ResourceContext } from "../http/mod.ts";
import { METRICS, nodeMetrics, podMetrics } from "./metrics_objects.ts";
import type { NodeUsage } from "./node_usage.ts";
import { type ReadUsage, UsageReader } from "./usage_reader.ts";

/**
 * `metrics.k8s.io`: made of what the nodes themselves say when somebody asks. A list has the nodes
 * that answer, with the pods that the store has on them: a node tells nothing of others' pods.
 */
export function metricsApi(read: ReadUsage, clock: Clock): ExtraResource[] {
  const reader = new UsageReader(read, clock);
  return [{
    resource: METRICS.nodes,
    async list(selection, { api, info }) {
      const nodes = (await api.store.list(RESOURCES.nodes, selection)).items as Node[];
      if (!selection.labelSelector && !selection.fieldSelector) reader.forgetAllBut(namesOf(nodes));
      const usages = await reader.all(namesOf(nodes), info.signal);
      return nodes.flatMap((node) => nodeMetrics(node, usages.get(nameOf(node))) ?? []);
    },
    async get(context) {
      const { api, name } = context;
      const node = await api.store.get({ resource: RESOURCES.nodes, name }) as Node;
      const usage = await usageFor(context, reader, nameOf(node));
      return nodeMetrics(node, usage) ?? notKnown(context, "the node has only just started");
    },
  }, {
    resource: METRICS.pods,
    async list(selection, { api, info }) {
      const pods = (await api.store.list(RESOURCES.pods, selection)).items as Pod[];
      const nodes = new Set(pods.flatMap(({ spec }) => (spec.nodeName ?? []) as NodeName));
      const usages = await reader.all(nodes, info.signal);
      return pods.flatMap((pod) =>
        podMetrics(pod, usages.get(pod.spec.nodeName as NodeName)) ?? []
      );
    },
    async get(context) {
      const { api, name, namespace = "default" } = context;
      const pod = await api.store.get({ resource: RESOURCES.pods, namespace, name }) as Pod;
      if (!pod.spec.nodeName) return notKnown(context, "the pod is on no node yet");
      const usage = await usageFor(context, reader, pod.spec.nodeName as NodeName);
      return podMetrics(pod, usage) ?? notKnown(context, "no container of it has run long enough");
    },
  }];
}

function nameOf({ metadata }: Node): NodeName {
  return metadata.name as NodeName;
}

function namesOf(nodes: readonly Node[]): Set<NodeName> {
  return new Set(nodes.map(nameOf));
}

async function usageFor(
  context: ResourceContext,
  reader: UsageReader,
  node: NodeName,
): Promise<NodeUsage> {
  const { signal } = context.info;
  try {
    return await reader.one(node, signal);
  } catch (error) {
    if (signal.aborted || !isAppError(error)) throw error;
    return notKnown(context, errorText(error), error);
  }
}

/** What is not known is not found, as with metrics-server. */
function notKnown({ resource, name }: ResourceContext, why: string, cause?: unknown): never {
  throw new AppError(
    "NotFound",
    `${resource.plural}.${resource.group} "${name}" not found: ${why}`,
    { cause },
  );
}
