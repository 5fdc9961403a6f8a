import type { KubeObject, ObjectMeta } from "./object.ts";
import type { Toleration } from "./pod.ts";

/** A PriorityClass of `scheduling.k8s.io/v1`. */
export interface PriorityClass extends KubeObject {
  kind: "PriorityClass";
  metadata: ObjectMeta;
  value: number;
  /** For pods that name no class. */
  globalDefault?: boolean;
  description?: string;
  preemptionPolicy?: "PreemptLowerPriority" | "Never";
}

/** A RuntimeClass of `node.k8s.io/v1`. */
export interface RuntimeClass extends KubeObject {
  kind: "RuntimeClass";
  metadata: ObjectMeta;
  /** Name of the handler in the runtime's own configuration. */
  handler: string;
  /** What a pod of this class costs beside its containers. */
  overhead?: { podFixed?: Record<string, string> };
  scheduling?: { nodeSelector?: Record<string, string>; tolerations?: Toleration[] };
}
