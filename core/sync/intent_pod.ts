import { z } from "zod";
import { AppError, isAppError } from "../base/mod.ts";
import {
  type Condition,
  type KubeObject,
  type Pod,
  type PodStatus,
  RESOURCES,
} from "../api/mod.ts";
import type { IntentContext } from "./intents.ts";
import { MIRROR_ANNOTATION } from "./interest.ts";

const { pods } = RESOURCES;
const Text = z.string().min(1).max(512);
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
  { node, store }: IntentContext,
  { namespace, name, uid, status }: z.infer<typeof PodStatusBody>,
): Promise<void> {
  await store.update({ resource: pods, namespace, name }, (current) => {
    checkOwner(current as Pod, uid, node);
    return { ...current, status: mergePodStatus((current as Pod).status ?? {}, status) };
  }, { subresource: "status" });
}

/**
 * What the node says, and what is not the node's to say: conditions of types that it does not
 * report (`PodScheduled`, readiness gates) stay.
 */
export function mergePodStatus(current: PodStatus, theirs: PodStatus): PodStatus {
  const reported = theirs.conditions ?? [];
  const types = new Set(reported.map(({ type }) => type));
  const kept = (current.conditions ?? []).filter(({ type }: Condition) => !types.has(type));
  const qosClass = theirs.qosClass ?? current.qosClass;
  return {
    ...theirs,
    ...(qosClass ? { qosClass } : {}),
    conditions: [...kept, ...reported],
  };
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
  { node, store }: IntentContext,
  { pod }: z.infer<typeof PodMirrorBody>,
): Promise<void> {
  const { namespace = "", name, uid = "", labels, annotations } = pod.metadata;
  if (pod.spec.nodeName !== undefined && pod.spec.nodeName !== node) throw notYours(pod, node);
  const mirror: KubeObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      ...(labels ? { labels } : {}),
      annotations: { ...annotations, [MIRROR_ANNOTATION]: uid },
    },
    spec: { ...pod.spec, nodeName: node },
  };
  const ref = { resource: pods, namespace, name };
  const current = await store.get(ref).catch((error) => {
    if (isAppError(error, "NotFound")) return undefined;
    throw error;
  });
  if (current && current.metadata.annotations?.[MIRROR_ANNOTATION] !== uid) {
    checkMirror(current as Pod, node);
    await store.delete(ref, {
      gracePeriodSeconds: 0,
      preconditions: { uid: current.metadata.uid ?? "" },
    });
    await store.create(pods, mirror);
  } else if (!current) await store.create(pods, mirror);
  await store.update(ref, (latest) => {
    checkMirror(latest as Pod, node);
    return { ...latest, status: pod.status ?? {} };
  }, { subresource: "status" });
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
