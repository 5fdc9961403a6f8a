import type { KubeObject } from "../object.ts";
import type { Pod, Toleration } from "../pod.ts";

/** KubeEdge's label of pods that stay on a node which cannot be reached. */
export const AUTONOMY_LABEL = "app-offline.kubeedge.io";
/** The value of {@linkcode AUTONOMY_LABEL}; on a NodeGroup it stands for all pods of the group. */
export const AUTONOMY = "autonomy";

/** The taints by which Kubernetes evicts from nodes that it does not hear. */
const LOST_TAINTS = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
/** The label that says to which NodeGroup a node belongs; KubeEdge's own. */
export const BELONGING_TO = "apps.kubeedge.io/belonging-to";

/** Whether an object carries the autonomy label. */
export function wantsAutonomy(object: KubeObject | undefined): boolean {
  return object?.metadata.labels?.[AUTONOMY_LABEL] === AUTONOMY;
}

/** The NodeGroup that a pod is for, by its node selector. */
export function groupOfPod(pod: Pod): string | undefined {
  const group: unknown = pod.spec?.nodeSelector?.[BELONGING_TO];
  return typeof group === "string" && group !== "" ? group : undefined;
}

/**
 * The tolerations of a pod that is not evicted from a node which cannot be reached, whatever was
 * said of how long it stays (Kubernetes itself gives every pod 300 s). Pure.
 */
export function withAutonomy(tolerations: readonly Toleration[] = []): Toleration[] {
  const others = tolerations.filter(({ key, effect }) =>
    !(LOST_TAINTS.includes(key ?? "") && (effect === undefined || effect === "NoExecute"))
  );
  const own = LOST_TAINTS.map((key): Toleration => ({
    key,
    operator: "Exists",
    effect: "NoExecute",
  }));
  return [...others, ...own];
}
