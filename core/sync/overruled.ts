import {
  conditionsOf,
  groupResource,
  type KubeObject,
  MIRROR_ANNOTATION,
  NODE_POD_CONDITIONS,
  type ResourceDef,
  RESOURCES,
} from "../api/mod.ts";
import { jsonEqual } from "../control/mod.ts";

/** A change of what only its node can say of a pod. */
export interface Overruled {
  readonly node: string;
  /** The version that it made, when it may be the node's own word. */
  readonly version?: string;
}

/**
 * The node of which a change says what only that node can say, so that it must tell again; else
 * `undefined`. Pure.
 *
 * - The mirror of a static pod is gone, or is being deleted: only its node can make it anew.
 * - A pod's status changed in what is the node's (`mergePodStatus`): Kubernetes marks the pods of a
 *   node that it thought lost as not ready, and never takes that back. A kubelet, too, writes its word
 *   again.
 */
export function overruledNode(
  resource: ResourceDef,
  object: KubeObject | undefined,
  previous: KubeObject | undefined,
): Overruled | undefined {
  if (groupResource(resource) !== groupResource(RESOURCES.pods)) return undefined;
  const node = (object ?? previous)?.["spec"]?.nodeName;
  if (node === undefined) return undefined;
  if (isLostMirror(object, previous)) return { node };
  const version = object?.metadata.resourceVersion;
  const changed = object && previous && isOtherStatus(object, previous);
  return changed && version !== undefined ? { node, version } : undefined;
}

function isLostMirror(object: KubeObject | undefined, previous: KubeObject | undefined): boolean {
  if (previous?.metadata.annotations?.[MIRROR_ANNOTATION] === undefined) return false;
  if (!object) return true;
  return object.metadata.deletionTimestamp !== undefined &&
    previous.metadata.deletionTimestamp === undefined;
}

function isOtherStatus(object: KubeObject, previous: KubeObject): boolean {
  if (object.metadata.uid !== previous.metadata.uid) return false;
  return object["status"] !== previous["status"] &&
    !jsonEqual(nodeStatus(object), nodeStatus(previous));
}

/** What a node says in the status of its pod, without what the API server and controllers do. */
function nodeStatus(pod: KubeObject): unknown {
  const { qosClass: _, nominatedNodeName: _name, resourceClaimStatuses: _claims, ...own } =
    pod["status"] ?? {};
  const conditions = conditionsOf(pod).filter(({ type }) => NODE_POD_CONDITIONS.has(type));
  return { ...own, conditions };
}
