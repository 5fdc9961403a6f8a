import type { Condition, KubeObject, ObjectMeta } from "./object.ts";

/** A Namespace. */
export interface Namespace extends KubeObject {
  kind: "Namespace";
  metadata: ObjectMeta;
  spec?: { finalizers?: string[] };
  status?: { phase?: "Active" | "Terminating"; conditions?: Condition[] };
}

/** A ConfigMap. */
export interface ConfigMap extends KubeObject {
  kind: "ConfigMap";
  metadata: ObjectMeta;
  data?: Record<string, string>;
  /** Values in base64. */
  binaryData?: Record<string, string>;
  immutable?: boolean;
}

/** A Secret. */
export interface Secret extends KubeObject {
  kind: "Secret";
  metadata: ObjectMeta;
  type?: string;
  /** Values in base64. */
  data?: Record<string, string>;
  /** Values as text; the API folds them into `data`. */
  stringData?: Record<string, string>;
  immutable?: boolean;
}

/** A ServiceAccount. */
export interface ServiceAccount extends KubeObject {
  kind: "ServiceAccount";
  metadata: ObjectMeta;
}

/** One port of a Service. */
export interface ServicePort {
  name?: string;
  protocol?: "TCP" | "UDP" | "SCTP";
  port: number;
  /** A number, or the name of a container port. @default {port} */
  targetPort?: number | string;
  nodePort?: number;
  appProtocol?: string;
}

/** A Service. */
export interface Service extends KubeObject {
  kind: "Service";
  metadata: ObjectMeta;
  spec?: {
    type?: "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";
    selector?: Record<string, string>;
    ports?: ServicePort[];
    /** `None` for a headless service. */
    clusterIP?: string;
    clusterIPs?: string[];
    ipFamilies?: string[];
    ipFamilyPolicy?: string;
    publishNotReadyAddresses?: boolean;
    externalName?: string;
    sessionAffinity?: string;
    internalTrafficPolicy?: string;
    // deno-lint-ignore no-explicit-any -- fields of later issues pass through
    [field: string]: any;
  };
  status?: Record<string, unknown>;
}

/** One address behind a Service, of `discovery.k8s.io/v1`. */
export interface Endpoint {
  addresses: string[];
  conditions: { ready?: boolean; serving?: boolean; terminating?: boolean };
  hostname?: string;
  nodeName?: string;
  zone?: string;
  targetRef?: { kind: string; namespace?: string; name: string; uid?: string };
}

/** An EndpointSlice of `discovery.k8s.io/v1`. */
export interface EndpointSlice extends KubeObject {
  kind: "EndpointSlice";
  metadata: ObjectMeta;
  addressType: "IPv4" | "IPv6" | "FQDN";
  endpoints: Endpoint[];
  ports: { name?: string; port?: number; protocol?: string; appProtocol?: string }[];
}

/** What an Event is about. */
export interface ObjectReference {
  apiVersion?: string;
  kind?: string;
  namespace?: string;
  name?: string;
  uid?: string;
  resourceVersion?: string;
  fieldPath?: string;
}

/** Who tells of a node and its pods: people and tools look for a kubelet's Events by this component. */
export const KUBELET = "kubelet";

/** An Event of `v1`. */
export interface Event extends KubeObject {
  kind: "Event";
  metadata: ObjectMeta;
  involvedObject: ObjectReference;
  /** A constant word in CamelCase, e.g. `FailedScheduling`. */
  reason?: string;
  message?: string;
  type?: "Normal" | "Warning";
  count?: number;
  firstTimestamp?: string | null;
  lastTimestamp?: string | null;
  /** MicroTime. */
  eventTime?: string | null;
  source?: { component?: string; host?: string };
  reportingComponent?: string;
  reportingInstance?: string;
  action?: string;
}
