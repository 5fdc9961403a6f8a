import type { Container, EphemeralContainer, Pod } from "../../../core/api/mod.ts";

/**
 * What a container is to its pod: `init` runs to its end before the next, `sidecar` is an init
 * container that keeps running (`restartPolicy: Always`), `debug` is an ephemeral container.
 */
export type Role = "init" | "sidecar" | "main" | "debug";

/** A container of a pod and its role. */
export interface PodContainer {
  readonly container: Container | EphemeralContainer;
  readonly role: Role;
}

/** All containers of a pod: init containers and sidecars in their order, mains, debuggers. */
export function podContainers(pod: Pod): PodContainer[] {
  // A pod of an older store may have null for none.
  const { initContainers, containers, ephemeralContainers } = pod.spec;
  return [
    ...(initContainers ?? []).map((container): PodContainer => ({
      container,
      role: isSidecar(container) ? "sidecar" : "init",
    })),
    ...containers.map((container): PodContainer => ({ container, role: "main" })),
    ...(ephemeralContainers ?? []).map((container): PodContainer => ({ container, role: "debug" })),
  ];
}

/** Why a container waits that is not to start yet, or is being made, as a kubelet says of all of a pod. */
export function waitingReason({ spec }: Pod): "PodInitializing" | "ContainerCreating" {
  return spec.initContainers?.length ? "PodInitializing" : "ContainerCreating";
}

/** The container of that name. */
export function findContainer(pod: Pod, name: string): PodContainer | undefined {
  return podContainers(pod).find(({ container }) => container.name === name);
}

/** Whether an init container keeps running beside the others. */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === "Always";
}

/** Names of the init containers that run to their end. */
export function initNames(pod: Pod | undefined): Set<string> {
  const inits = (pod?.spec.initContainers ?? []).filter((one) => !isSidecar(one));
  return new Set(inits.map((one) => one.name));
}

const LISTS = {
  init: "initContainers",
  sidecar: "initContainers",
  main: "containers",
  debug: "ephemeralContainers",
} as const;

/** Where Events about a container point to, e.g. `spec.containers{web}`. */
export function fieldPathOf({ container, role }: PodContainer): string {
  return `spec.${LISTS[role]}{${container.name}}`;
}
