import type { Container, Pod } from "../../core/api/mod.ts";
import type { ContainerConfig, Mount } from "../runtimes/mod.ts";
import type { Rejection } from "./policy/plan.ts";

/** What devices add to the config of one container. */
export interface DeviceGrant {
  /** The container's own variables win. */
  readonly env: Readonly<Record<string, string>>;
  /** A mount of the container's own at the same path wins. */
  readonly mounts: readonly Mount[];
  readonly devices: ContainerConfig["devices"];
  readonly annotations: Readonly<Record<string, string>>;
  /** Names of CDI devices that the runtime resolves, e.g. `vendor.com/gpu=gpu0`. */
  readonly cdiDevices: readonly string[];
}

/** Whether a pod has the devices that it asks for. */
export type DeviceAnswer =
  | { readonly kind: "granted" }
  /** Whoever has such devices is not there now. */
  | { readonly kind: "waits"; readonly message: string }
  | { readonly kind: "refused"; readonly rejection: Rejection };

/** Who gives devices to pods; device plugins, where the node takes them. */
export interface PodDevices {
  /**
   * Sets devices aside for all containers of a pod. What is answered with `granted` is in the
   * store by then, as a row of {@linkcode DEVICE_SPACE}: the same pod gets the same devices again.
   */
  allocate(pod: Pod, signal: AbortSignal): Promise<DeviceAnswer>;
  /** Takes back what was set aside for a pod that ended before it was let in. */
  free(uid: string): void;
  /**
   * What one run of a container gets, made ready for that run; `undefined` for nothing.
   *
   * @throws {AppError} when a device cannot be made ready
   */
  prepare(pod: Pod, container: string, signal: AbortSignal): Promise<DeviceGrant | undefined>;
}

/**
 * Space of the rows that remember which devices a pod has, keyed by UID. The devices are free
 * again when the row is gone: it goes with the pod's end, in the transaction that remembers it.
 */
export const DEVICE_SPACE = "pod-devices";

/** What a container asks of resources that are none of Kubernetes' own, e.g. `example.com/tpu`. */
export function extendedWants(container: Container): Map<string, number> {
  const { limits = {}, requests = {} } = container.resources ?? {};
  const out = new Map<string, number>();
  for (const [name, amount] of Object.entries({ ...requests, ...limits })) {
    const count = Number(amount);
    if (isExtendedResource(name) && count > 0) out.set(name, count);
  }
  return out;
}

/** Whether a pod asks for any such resource. */
export function wantsDevices(pod: Pod): boolean {
  const { initContainers = [], containers } = pod.spec;
  return [...initContainers, ...containers].some((one) => extendedWants(one).size > 0);
}

/** Source: `v1helper.IsExtendedResourceName`. */
export function isExtendedResource(name: string): boolean {
  const [domain = "", own = "", more] = name.split("/");
  if (more !== undefined || domain.endsWith("kubernetes.io") || domain.startsWith("requests.")) {
    return false;
  }
  return domain.length <= 244 && /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(domain) &&
    own.length <= 63 && /^[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$/.test(own);
}
