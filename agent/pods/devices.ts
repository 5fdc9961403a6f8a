import {
  type Container,
  deviceResources,
  isExtendedResource,
  type Pod,
  RESOURCES,
} from "../../core/api/mod.ts";
import type { LocalStore } from "../../core/store/mod.ts";
import { isFromManifest } from "../manifests/mod.ts";
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

/** The names of all such resources that a pod asks for. */
export function wantedDevices({ spec }: Pod): Set<string> {
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  return new Set(containers.flatMap((one) => [...extendedWants(one).keys()]));
}

/**
 * The resources that only device plugins can give to a pod. Those that no plugin has ever `offered`
 * here somebody has advertised by hand, or the scheduler had not placed the pod; for a static pod
 * nobody has looked.
 */
export function neededDevices(
  store: LocalStore,
  pod: Pod,
  offered: (resource: string) => boolean,
): Set<string> {
  const wanted = wantedDevices(pod);
  if (wanted.size === 0) return wanted;
  return store.transact((tx) => {
    if (isFromManifest(tx, pod)) return wanted;
    const node = tx.get({ resource: RESOURCES.nodes, name: pod.spec.nodeName ?? "" });
    const known = new Set(node && deviceResources(node));
    return new Set([...wanted].filter((name) => known.has(name) || offered(name)));
  });
}
