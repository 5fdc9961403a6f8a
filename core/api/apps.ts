import type { Condition, KubeObject, ObjectMeta } from "./object.ts";
import type { PodTemplate } from "./pod.ts";
import type { LabelSelector } from "./selectors.ts";

/** A count, or a share as text (`25%`). */
export type IntOrPercent = number | string;

/** A Deployment of `apps/v1`. */
export interface Deployment extends KubeObject {
  kind: "Deployment";
  metadata: ObjectMeta;
  spec: {
    /** @default {1} */
    replicas?: number;
    selector: LabelSelector;
    template: PodTemplate;
    strategy?: {
      type?: "RollingUpdate" | "Recreate";
      /** Both default to 25 %; surge rounds up, unavailable rounds down. */
      rollingUpdate?: { maxSurge?: IntOrPercent; maxUnavailable?: IntOrPercent };
    };
    minReadySeconds?: number;
    /** @default {10} */
    revisionHistoryLimit?: number;
    /** @default {600} */
    progressDeadlineSeconds?: number;
    paused?: boolean;
  };
  status?: {
    observedGeneration?: number;
    replicas?: number;
    updatedReplicas?: number;
    readyReplicas?: number;
    availableReplicas?: number;
    unavailableReplicas?: number;
    conditions?: Condition[];
    collisionCount?: number;
  };
}

/** A ReplicaSet of `apps/v1`. */
export interface ReplicaSet extends KubeObject {
  kind: "ReplicaSet";
  metadata: ObjectMeta;
  spec: {
    /** @default {1} */
    replicas?: number;
    selector: LabelSelector;
    template: PodTemplate;
    minReadySeconds?: number;
  };
  status?: {
    replicas: number;
    fullyLabeledReplicas?: number;
    readyReplicas?: number;
    availableReplicas?: number;
    observedGeneration?: number;
    conditions?: Condition[];
  };
}

/** A DaemonSet of `apps/v1`. */
export interface DaemonSet extends KubeObject {
  kind: "DaemonSet";
  metadata: ObjectMeta;
  spec: {
    selector: LabelSelector;
    template: PodTemplate;
    updateStrategy?: {
      type?: "RollingUpdate" | "OnDelete";
      rollingUpdate?: { maxUnavailable?: IntOrPercent; maxSurge?: IntOrPercent };
    };
    minReadySeconds?: number;
    revisionHistoryLimit?: number;
  };
  status?: {
    currentNumberScheduled: number;
    numberMisscheduled: number;
    desiredNumberScheduled: number;
    numberReady: number;
    observedGeneration?: number;
    updatedNumberScheduled?: number;
    numberAvailable?: number;
    numberUnavailable?: number;
    conditions?: Condition[];
  };
}
