import { z } from "zod";
import { AppError, isAppError } from "../base/mod.ts";
import { findObject } from "../store/mod.ts";
import {
  type Condition,
  conditionsOf,
  type KubeObject,
  MIRROR_ANNOTATION,
  NODE_POD_CONDITIONS,
  type OwnerReference,
  type Pod,
  type PodStatus,
  RESOURCES,
  setDefaults,
  withEnd,
} from "../api/mod.ts";
import type { IntentContext } from "./intents.ts";
import { keyOf } from "./object_key.ts";
import { checkObject, checkSize, checkTypes, REPORT_BYTES } from "./reported.ts";

const { pods } = RESOURCES;
const Text = z.string().min(1).max(512);
/** Mirror pods that a hub keeps of one node; a machine runs far fewer pods. */
const MAX_MIRRORS = 500;
/** The hub's own namespace. */
const SYSTEM_NAMESPACE = "skerry-system";
const PodRef = z.object({ namespace: Text, name: Text, uid: Text });

/** `pod-status`: the status that the node sees of one of its pods. */
export const PodStatusBody = PodRef.extend({
  status: z.custom<PodStatus>((value) => typeof value === "object" && value !== null),
});
/** `pod-gone`: the containers of a pod that was being deleted are gone. */
export const PodGoneBody = PodRef;
/** `pod-mirror`: a static pod of the node, with its status. */
export const PodMirrorBody = z.object({
  pod: z.custom<Pod>((value) => {
    const pod = value as Partial<Pod> | null;
    const { name, namespace, uid } = pod?.metadata ?? {};
    return [name, namespace, uid].every((text) => typeof text === "string" && text !== "") &&
      Array.isArray(pod?.spec?.containers);
  }, "no pod with namespace, name, uid and containers"),
});

/** Writes the status, when the pod has this uid and is bound to this node. */
export async function applyPodStatus(
  { node, store, seen, wrote }: IntentContext,
  { namespace, name, uid, status }: z.infer<typeof PodStatusBody>,
): Promise<void> {
  const what = `the status of pod ${namespace}/${name}`;
  checkSize(what, status);
  await checkTypes(pods, { apiVersion: "v1", kind: "Pod", metadata: { name, namespace }, status });
  const key = keyOf("pods", namespace, name);
  const { metadata } = await store.update({ resource: pods, namespace, name }, (current) => {
    checkOwner(current as Pod, uid, node);
    const merged = mergePodStatus((current as Pod).status ?? {}, status);
    // Conditions of other types stay: many reports could make a large status.
    checkSize(what, merged);
    return { ...current, status: merged };
  }, { subresource: "status", from: seen?.(key) });
  wrote?.(key, metadata.resourceVersion ?? "");
}

/**
 * What the node says, and what is not the node's to say: conditions of others (`PodScheduled`,
 * readiness gates) stay as they are here. Its own are as it says, and gone when it says nothing. An end
 * that somebody else has told stays: the node learns of it, and stops the pod.
 */
export function mergePodStatus(current: PodStatus, theirs: PodStatus): PodStatus {
  const said = theirs.conditions ?? [];
  const kept = conditionsOf({ status: current }).filter(({ type }) =>
    !NODE_POD_CONDITIONS.has(type)
  ).map((one) => seenBy(one, said));
  const types = new Set(kept.map(({ type }) => type));
  const reported = said.filter(({ type }) => !types.has(type));
  const qosClass = theirs.qosClass ?? current.qosClass;
  return {
    ...withEnd(theirs, current),
    ...(qosClass ? { qosClass } : {}),
    conditions: [...kept, ...reported],
  };
}

/** A scheduler says `PodScheduled` once: the node that holds it too says of which generation it holds. */
function seenBy(kept: Condition, said: readonly Condition[]): Condition {
  const own = kept.type === "PodScheduled" && said.find(({ type }) => type === kept.type);
  if (!own || own.status !== kept.status || own.observedGeneration === undefined) return kept;
  return { ...kept, observedGeneration: own.observedGeneration };
}

/** Removes the pod, when it is being deleted, has this uid and is bound to this node. */
export async function applyPodGone(
  { node, store }: IntentContext,
  { namespace, name, uid }: z.infer<typeof PodGoneBody>,
): Promise<void> {
  const ref = { resource: pods, namespace, name };
  try {
    const current = await store.get(ref) as Pod;
    const mirror = current.metadata.annotations?.[MIRROR_ANNOTATION];
    if (current.metadata.uid !== uid && mirror !== uid) return;
    if (current.spec.nodeName !== node) throw notYours(current, node);
    if (mirror === undefined && current.metadata.deletionTimestamp === undefined) {
      throw new AppError(
        "Forbidden",
        `pod ${namespace}/${name} is not being deleted: delete it, then the node may let it go`,
      );
    }
    const { uid: currentUid = "" } = current.metadata;
    await store.delete(ref, { gracePeriodSeconds: 0, preconditions: { uid: currentUid } });
  } catch (error) {
    // Gone already, or another pod of that name: what the node wants is so.
    if (!isAppError(error, "NotFound")) throw error;
  }
}

/** Creates or updates the hub's picture of a static pod. */
export async function applyPodMirror(
  context: IntentContext,
  { pod }: z.infer<typeof PodMirrorBody>,
): Promise<void> {
  const { node, store } = context;
  const mirror = await mirrorOf(context, pod);
  const { namespace = "", name, annotations } = mirror.metadata;
  const ref = { resource: pods, namespace, name };
  const current = await findObject(store, ref);
  const uid = annotations?.[MIRROR_ANNOTATION];
  if (current) checkMirror(current as Pod, node);
  // Somebody deleted the picture, but the pod runs: only its node could end the deletion.
  const leaving = current?.metadata.deletionTimestamp !== undefined;
  if (current && (leaving || current.metadata.annotations?.[MIRROR_ANNOTATION] !== uid)) {
    await store.delete(ref, {
      gracePeriodSeconds: 0,
      preconditions: { uid: current.metadata.uid ?? "" },
    });
    await store.create(pods, mirror);
  } else if (!current) {
    await checkMirrorCount(context);
    await store.create(pods, mirror);
  } else if (!ownedAlike(current, mirror)) {
    const { ownerReferences } = mirror.metadata;
    await store.update(ref, (latest) => {
      checkMirror(latest as Pod, node);
      const metadata = { ...latest.metadata, ...(ownerReferences ? { ownerReferences } : {}) };
      return { ...latest, metadata };
    });
  }
  const { metadata } = await store.update(ref, (latest) => {
    checkMirror(latest as Pod, node);
    return { ...latest, status: pod.status ?? {} };
  }, { subresource: "status" });
  context.wrote?.(keyOf("pods", namespace, name), metadata.resourceVersion ?? "");
}

/**
 * The mirror of a static pod as it is stored, without status.
 *
 * @throws {AppError} Forbidden, Invalid
 */
async function mirrorOf({ node, store }: IntentContext, pod: Pod): Promise<KubeObject> {
  const { namespace = "", name, uid = "", labels, annotations } = pod.metadata;
  const what = `static pod ${namespace}/${name}`;
  if (pod.spec.nodeName !== undefined && pod.spec.nodeName !== node) throw notYours(pod, node);
  if (namespace === SYSTEM_NAMESPACE) {
    throw new AppError(
      "Forbidden",
      `${what}: ${namespace} is the hub's own: use another namespace`,
    );
  }
  checkSize(`the status of ${what}`, pod.status ?? {});
  checkSize(what, pod, 2 * REPORT_BYTES);
  // Checked as it came: what is no map would be spread into one.
  await checkObject(pods, { ...pod, apiVersion: "v1", kind: "Pod" });
  const ownerReferences = await nodeOwner(store, node);
  const mirror: KubeObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      ...(labels ? { labels } : {}),
      annotations: { ...annotations, [MIRROR_ANNOTATION]: uid },
      ...(ownerReferences ? { ownerReferences } : {}),
    },
    spec: { ...structuredClone(pod.spec), nodeName: node },
  };
  setDefaults(pods, mirror);
  return mirror;
}

/**
 * Its Node controls a mirror, as in Kubernetes: so no workload takes it for its own, and it goes
 * with the Node. Nothing while there is no Node; a later report adds it.
 */
async function nodeOwner(
  store: IntentContext["store"],
  name: string,
): Promise<OwnerReference[] | undefined> {
  const node = await findObject(store, { resource: RESOURCES.nodes, name });
  const uid = node?.metadata.uid ?? "";
  return node && [{ apiVersion: "v1", kind: "Node", name, uid, controller: true }];
}

function ownedAlike(current: KubeObject, mirror: KubeObject): boolean {
  const [want] = mirror.metadata.ownerReferences ?? [];
  const have = current.metadata.ownerReferences ?? [];
  return want === undefined || (have.length === 1 && have[0]?.uid === want.uid);
}

/** @throws {AppError} Invalid */
async function checkMirrorCount({ node, store }: IntentContext): Promise<void> {
  const { items } = await store.list(pods, { fieldSelector: `spec.nodeName=${node}` });
  const count = items.filter((one) => one.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined);
  if (count.length < MAX_MIRRORS) return;
  throw new AppError("Invalid", `node ${node} has ${count.length} static pods here: no more fit`);
}

function checkMirror(pod: Pod, node: string): void {
  const mirror = pod.metadata.annotations?.[MIRROR_ANNOTATION];
  if (mirror === undefined || pod.spec.nodeName !== node) throw notYours(pod, node);
}

function checkOwner(pod: Pod, uid: string, node: string): void {
  if (pod.metadata.uid !== uid) {
    throw new AppError(
      "NotFound",
      `pod ${pod.metadata.namespace}/${pod.metadata.name} with uid ${uid} is gone`,
    );
  }
  if (pod.spec.nodeName !== node) throw notYours(pod, node);
}

function notYours(pod: Pod, node: string): AppError {
  return new AppError(
    "Forbidden",
    `pod ${pod.metadata.namespace}/${pod.metadata.name} is not bound to node ${node}`,
  );
}
