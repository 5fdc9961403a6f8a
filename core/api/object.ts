/** A reference from an object to the one that owns it. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** Kubernetes' `metav1.ObjectMeta`, as far as Skerry reads it. Unknown fields pass through. */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  /** Decimal, per store; opaque to clients. */
  resourceVersion?: string;
  generation?: number;
  generateName?: string;
  /** RFC 3339, whole seconds. */
  creationTimestamp?: string;
  deletionTimestamp?: string;
  /** Seconds. */
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: unknown[];
}

/** Any Kubernetes object. Unknown fields pass through unchanged. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  // deno-lint-ignore no-explicit-any -- objects of any kind; the typed kinds narrow it
  [field: string]: any;
}

/** A condition in an object's status, Kubernetes' `metav1.Condition`. */
export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason?: string;
  message?: string;
  /** RFC 3339, whole seconds. */
  lastTransitionTime?: string;
  lastHeartbeatTime?: string;
  lastProbeTime?: string | null;
  lastUpdateTime?: string;
  observedGeneration?: number;
}

/** Names one object of one resource. `namespace` is absent for cluster-scoped resources. */
export interface ObjectRef {
  readonly resource: ResourceDef;
  readonly namespace?: string;
  readonly name: string;
}

/** A kind that the API serves. */
export interface ResourceDef {
  /** API group, `""` for core. */
  readonly group: string;
  readonly version: string;
  /** Plural, lower case: the word in URLs. */
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** Whether `status` is written through its own subresource. */
  readonly hasStatus: boolean;
  /** Where `kubectl scale` finds its numbers; absent when the kind cannot be scaled. */
  readonly scale?: { readonly spec: string; readonly status: string; readonly selector: string };
}

/** The name of a resource without its version: `pods`, `deployments.apps`. Also its storage key. */
export function groupResource(resource: Pick<ResourceDef, "group" | "plural">): string {
  return resource.group === "" ? resource.plural : `${resource.plural}.${resource.group}`;
}

/** An `apiVersion` in its two parts; the group of the core is empty. */
export function splitApiVersion(
  apiVersion: string,
): { readonly group: string; readonly version: string } {
  const slash = apiVersion.indexOf("/");
  return { group: apiVersion.slice(0, Math.max(slash, 0)), version: apiVersion.slice(slash + 1) };
}

/** `v1`, `apps/v1`: the `apiVersion` of a resource's objects. */
export function apiVersionOf(resource: Pick<ResourceDef, "group" | "version">): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}
