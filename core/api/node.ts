import type { Condition, KubeObject, ObjectMeta } from "./object.ts";

/** A taint of a node. */
export interface Taint {
  key: string;
  value?: string;
  effect: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
  timeAdded?: string;
}

/** What `status.nodeInfo` says of the machine and its software. */
export interface NodeInfo {
  architecture: string;
  operatingSystem: string;
  osImage: string;
  kernelVersion: string;
  machineID: string;
  bootID: string;
  systemUUID: string;
  containerRuntimeVersion: string;
  kubeletVersion: string;
  kubeProxyVersion: string;
}

/** A Node. */
export interface Node extends KubeObject {
  kind: "Node";
  metadata: ObjectMeta;
  spec?: { taints?: Taint[]; unschedulable?: boolean; podCIDR?: string; providerID?: string };
  status?: {
    capacity?: Record<string, string>;
    allocatable?: Record<string, string>;
    conditions?: Condition[];
    addresses?: { type: string; address: string }[];
    daemonEndpoints?: { kubeletEndpoint?: { Port: number } };
    nodeInfo?: Partial<NodeInfo>;
    images?: { names: string[]; sizeBytes: number }[];
    /** By the controller that attaches volumes. */
    volumesAttached?: { name: string; devicePath: string }[];
    /** Versions and states of Skerry's own parts, e.g. the WASM engine. */
    skerry?: Record<string, unknown>;
  };
}

/** A Lease of `coordination.k8s.io/v1`. */
export interface Lease extends KubeObject {
  kind: "Lease";
  spec: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    /** MicroTime. */
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}
