import {
  type Condition,
  conditionOf,
  groupResource,
  type KubeObject,
  MIRROR_ANNOTATION,
  type ResourceDef,
  RESOURCES,
} from "../api/mod.ts";

/**
 * The node of which a change says what only that node can say, so that it must tell again; else
 * `undefined`. Pure.
 *
 * - The mirror of a static pod is gone, or is being deleted: only its node can make it anew.
 * - A Node became `Unknown`, as Kubernetes does when its Lease was not renewed.
 * - A pod was marked as not ready, as Kubernetes does with the pods of such a node and never takes
 *   back: its containers are ready, and no readiness gate is the reason.
 */
export function overruledNode(
  resource: ResourceDef,
  object: KubeObject | undefined,
  previous: KubeObject | undefined,
): string | undefined {
  switch (groupResource(resource)) {
    case groupResource(RESOURCES.pods): {
      const overruled = isLostMirror(object, previous) ||
        isMarkedNotReady(object) && !isMarkedNotReady(previous);
      return overruled ? (object ?? previous)?.["spec"]?.nodeName : undefined;
    }
    case groupResource(RESOURCES.nodes): {
      const lost = ready(object)?.status === "Unknown" && ready(previous)?.status !== "Unknown";
      return lost ? object?.metadata.name : undefined;
    }
    default:
      return undefined;
  }
}

function isLostMirror(object: KubeObject | undefined, previous: KubeObject | undefined): boolean {
  if (previous?.metadata.annotations?.[MIRROR_ANNOTATION] === undefined) return false;
  if (!object) return true;
  return object.metadata.deletionTimestamp !== undefined &&
    previous.metadata.deletionTimestamp === undefined;
}

function isMarkedNotReady(pod: KubeObject | undefined): boolean {
  const own = ready(pod);
  return own?.status === "False" && !own.reason &&
    conditionOf(pod, "ContainersReady")?.status === "True";
}

function ready(object: KubeObject | undefined): Condition | undefined {
  return conditionOf(object, "Ready");
}
