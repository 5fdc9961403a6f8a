import {
  conditionOf,
  isFinalPhase,
  type KubeObject,
  type Pod,
  type PodTemplate,
  RESOURCES,
  setDefaults,
} from "../../core/api/mod.ts";
import { fromTime, type Ms, ms } from "../../core/base/mod.ts";
import { controllerRef } from "../../core/control/mod.ts";

/** Whether a pod has ended for good. */
export function isTerminated(pod: Pod): boolean {
  return isFinalPhase(pod.status?.phase);
}

/** Whether a pod counts as a replica: it has not ended and is not on its way out. */
export function isActive(pod: Pod): boolean {
  return !isTerminated(pod) && pod.metadata.deletionTimestamp === undefined;
}

/** Whether a pod says that it is ready. */
export function isReady(pod: Pod): boolean {
  return conditionOf(pod, "Ready")?.status === "True";
}

/** How long until a ready pod counts as available; 0 when it does, `undefined` when not ready. */
export function availableIn(pod: Pod, minReadySeconds: number, now: Ms): Ms | undefined {
  const ready = conditionOf(pod, "Ready");
  if (ready?.status !== "True") return undefined;
  if (minReadySeconds <= 0) return ms(0);
  const since = fromTime(ready.lastTransitionTime);
  if (since === undefined) return undefined;
  return ms(Math.max(0, since + minReadySeconds * 1000 - now));
}

/** A pod made from `template`, controlled by `owner`, with a generated name. */
export function podFromTemplate(
  template: PodTemplate,
  owner: KubeObject,
  labels: Record<string, string> = {},
): Pod {
  const { metadata = {}, spec } = structuredClone(template);
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "",
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace ?? "",
      labels: { ...metadata.labels, ...labels },
      ownerReferences: [controllerRef(owner)],
      ...(metadata.annotations ? { annotations: metadata.annotations } : {}),
      ...(metadata.finalizers ? { finalizers: metadata.finalizers } : {}),
    },
    spec,
  };
  setDefaults(RESOURCES.pods, pod);
  return pod;
}
