import { z } from "zod";
import { AppError, isAppError, isLabelKey, isLabelValue, type Ms, toTime } from "../base/mod.ts";
import {
  type Condition,
  deviceResources,
  type KubeObject,
  type Node,
  RESOURCES,
} from "../api/mod.ts";
import type { Store } from "../store/mod.ts";
import type { IntentContext } from "./intents.ts";
import { atHub, type KubeletEndpoint } from "./kubelet_endpoint.ts";
import { mergeResources, namesResources, resourceAnnotation } from "./node_resources.ts";
import { wordOf } from "./node_word.ts";
import { keyOf } from "./object_key.ts";
import { checkObject, checkSize, checkTypes } from "./reported.ts";

/** `node`: the Node object as the node sees itself. */
export const NodeBody = z.object({
  node: z.custom<Node>((value) => {
    const node = value as Partial<Node> | null;
    return typeof node?.metadata?.name === "string" && typeof node.status === "object";
  }, "no Node with name and status"),
});

/** The labels that a node keeps up to date; all others it sets only when it registers. */
const OWN_LABELS = ["kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch"];
/** Kubernetes' NodeRestriction: of the project's own prefixes a node may set only these. */
const ALLOWED_SYSTEM_LABELS = [
  ...OWN_LABELS,
  "node.kubernetes.io/instance-type",
  "topology.kubernetes.io/region",
  "topology.kubernetes.io/zone",
];
const ALLOWED_SYSTEM_PREFIXES = ["kubelet.kubernetes.io", "node.kubernetes.io"];
/** What marks a node as one of ours (KubeEdge's words). */
const ROLE_LABELS = { "node-role.kubernetes.io/edge": "", "node-role.kubernetes.io/agent": "" };

/** Where a Node says which addresses the gateway itself has, when its own are the hub's. */
export const ADDRESSES_ANNOTATION = "skerry.dev/addresses";

/** On a Node that a hub made for a gateway, or that a gateway took over by right. */
export const GATEWAY_ANNOTATION = "skerry.dev/gateway";

/**
 * Whether a hub made this Node, or a gateway took it over by right. A node cannot say so itself: of
 * what it reports a hub takes no annotations.
 */
export function isGatewayNode({ metadata }: KubeObject): boolean {
  return metadata.annotations?.[GATEWAY_ANNOTATION] === "true";
}

/** Registers the node, or brings its status up to date. */
export async function applyNode(
  context: IntentContext,
  { node }: z.infer<typeof NodeBody>,
): Promise<void> {
  if (node.metadata.name !== context.node) {
    throw new AppError(
      "Forbidden",
      `node ${context.node} may not write node ${node.metadata.name}`,
    );
  }
  checkSize(`node ${context.node}`, node);
  await checkTypes(RESOURCES.nodes, { ...node, apiVersion: "v1", kind: "Node" });
  const { status } = node;
  // As it is stored, and the status that becomes part of it.
  await checkObject(RESOURCES.nodes, { ...registered(context.node, node), status });
  const written = await writeNode(context, node).catch(async (error) => {
    if (!isAppError(error, "NotFound")) throw error;
    await context.checkIdentity();
    await context.store.create(RESOURCES.nodes, registered(context.node, node));
    return await writeNode(context, node);
  });
  context.said?.(wordOf(written, status ?? {}));
}

async function writeNode(context: IntentContext, node: Node): Promise<Node> {
  const find = (): KubeletEndpoint | undefined => context.kubelet?.();
  for (let kubelet = find();;) {
    const written = await writeNodeAt(context, node, kubelet);
    const later = find();
    // Its port has opened while this was written, and who opens it may have written before this.
    if (later?.port === kubelet?.port) return written;
    kubelet = later;
  }
}

async function writeNodeAt(
  { node: name, store, own = store, now, seen, checkIdentity }: IntentContext,
  node: Node,
  kubelet: KubeletEndpoint | undefined,
): Promise<Node> {
  const ref = { resource: RESOURCES.nodes, name };
  const from = seen?.(keyOf("nodes", undefined, name));
  // Kubernetes lets no node give itself a role.
  if (!from || !hasLabels(from, ROLE_LABELS) || !isGatewayNode(from)) {
    await markNode({ name, own, checkIdentity });
  }
  const labels = allowedLabels(node.metadata.labels ?? {});
  const kept = Object.fromEntries(
    Object.entries(labels).filter(([key]) => OWN_LABELS.includes(key)),
  );
  const addresses = kubelet && JSON.stringify(node.status?.addresses ?? []);
  const { status: told = {} } = node;
  const described = (current: KubeObject): KubeObject =>
    withAnnotations(withLabels(current, kept), {
      ...(addresses === undefined ? {} : { [ADDRESSES_ANNOTATION]: addresses }),
      ...resourceAnnotation(current, told),
    });
  const known = from && hasLabels(from, kept) && namesResources(from, told) &&
    (addresses === undefined || from.metadata.annotations?.[ADDRESSES_ANNOTATION] === addresses);
  if (!known) await store.update(ref, described);
  return await store.update(ref, (current) => {
    const status = mergeNodeStatus(current as Node, told, now, kubelet);
    // Conditions of other types stay: many reports could make a large status.
    checkSize(`the status of node ${name}`, status);
    return { ...current, status };
  }, { subresource: "status", from }) as Node;
}

/**
 * Gives a Node the marks of a gateway's. One that no hub made must be the one that the identity is
 * bound to: else a node would write over that of a machine which is none of ours.
 */
async function markNode(
  { name, own, checkIdentity }: Pick<IntentContext, "checkIdentity"> & {
    readonly name: string;
    readonly own: Pick<Store, "update">;
  },
): Promise<void> {
  for (let checked = "";;) {
    let strange: string | undefined;
    await own.update({ resource: RESOURCES.nodes, name }, (current) => {
      const { uid } = current.metadata;
      strange = isGatewayNode(current) || uid === checked ? undefined : uid;
      return strange === undefined ? marked(withLabels(current, ROLE_LABELS)) : current;
    });
    if (strange === undefined) return;
    await checkIdentity(strange);
    checked = strange;
  }
}

function marked<T extends KubeObject>(object: T): T {
  return withAnnotations(object, { [GATEWAY_ANNOTATION]: "true" });
}

function hasLabels(object: KubeObject, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([key, value]) => object.metadata.labels?.[key] === value);
}

function withLabels(object: KubeObject, labels: Readonly<Record<string, string>>): KubeObject {
  const { metadata } = object;
  return { ...object, metadata: { ...metadata, labels: { ...metadata.labels, ...labels } } };
}

function withAnnotations<T extends KubeObject>(
  object: T,
  annotations: Readonly<Record<string, string>>,
): T {
  const { metadata } = object;
  const all = { ...metadata.annotations, ...annotations };
  return Object.keys(all).length === 0
    ? object
    : { ...object, metadata: { ...metadata, annotations: all } };
}

function registered(name: string, node: Node): Node {
  const taints = node.spec?.taints ? { taints: node.spec.taints } : {};
  const unschedulable = node.spec?.unschedulable === true ? { unschedulable: true } : {};
  // Marked from its first moment: without that it counts as somebody else's.
  return marked({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: allowedLabels(node.metadata.labels ?? {}) },
    spec: { ...taints, ...unschedulable },
  });
}

/**
 * The labels that a node may set on itself (KEP-279, NodeRestriction); what is no label at all is
 * left out like those that it may not set. Pure.
 */
export function allowedLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).filter(([key, value]) => {
      if (typeof value !== "string" || !isLabelKey(key) || !isLabelValue(value)) return false;
      const slash = key.indexOf("/");
      const prefix = slash < 0 ? "" : key.slice(0, slash);
      const within = (domain: string): boolean =>
        prefix === domain || prefix.endsWith(`.${domain}`);
      if (within("node-restriction.kubernetes.io")) return false;
      if (!within("kubernetes.io") && !within("k8s.io")) return true;
      return ALLOWED_SYSTEM_LABELS.includes(key) || ALLOWED_SYSTEM_PREFIXES.some(within);
    }),
  );
}

/**
 * The node's own status over the hub's: conditions of other types stay, as do what of its resources
 * others advertise and the volumes that they attach; transition times move only with the status of a
 * condition. Pure.
 */
export function mergeNodeStatus(
  node: Node,
  theirs: NonNullable<Node["status"]>,
  now: Ms,
  kubelet?: KubeletEndpoint,
): NonNullable<Node["status"]> {
  const time = toTime(now);
  const current = node.status ?? {};
  // What is stored may be of a time when nobody checked it.
  const before = Array.isArray(current.conditions)
    ? current.conditions.filter((one) => one !== null)
    : [];
  const reported = (theirs.conditions ?? []).map((condition: Condition): Condition => {
    const last = before.find(({ type }) => type === condition.type);
    const same = last?.status === condition.status && last.lastTransitionTime !== undefined;
    return {
      ...condition,
      lastHeartbeatTime: time,
      lastTransitionTime: (same ? last.lastTransitionTime : undefined) ?? time,
    };
  });
  const types = new Set(reported.map(({ type }) => type));
  const kept = before.filter(({ type }) => !types.has(type));
  const { daemonEndpoints: _, volumesAttached: __, ...status } = theirs;
  const { daemonEndpoints, volumesAttached } = current;
  return {
    ...status,
    ...mergeResources(current, theirs, deviceResources(node)),
    ...(volumesAttached ? { volumesAttached } : {}),
    ...(daemonEndpoints ? { daemonEndpoints } : {}),
    ...(kubelet ? atHub(kubelet) : {}),
    conditions: [...kept, ...reported],
  };
}
