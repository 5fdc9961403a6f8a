import {
  DEVICE_RESOURCES_ANNOTATION,
  deviceResources,
  isExtendedResource,
  type KubeObject,
  type Node,
} from "../api/mod.ts";

type NodeStatus = NonNullable<Node["status"]>;

/** Whether a Node names all extended resources of which its node tells now. */
export function namesResources(node: KubeObject, told: NodeStatus): boolean {
  const known = new Set(deviceResources(node));
  return extendedNames(told).every((name) => known.has(name));
}

/** The annotation of a Node with what its node tells now. Pure. */
export function resourceAnnotation(node: KubeObject, told: NodeStatus): Record<string, string> {
  const names = new Set([...deviceResources(node), ...extendedNames(told)]);
  return names.size === 0 ? {} : { [DEVICE_RESOURCES_ANNOTATION]: [...names].toSorted().join(",") };
}

/**
 * Capacity and allocatable as a node tells them, with the extended resources that it does not name:
 * those that were once its own are 0, as of a device plugin that is gone; those advertised by hand
 * stay, and what there is of them can be had. As a kubelet does it. Pure.
 *
 * @param devices what {@linkcode deviceResources} says
 */
export function mergeResources(
  current: NodeStatus,
  told: NodeStatus,
  devices: readonly string[],
): Pick<NodeStatus, "capacity" | "allocatable"> {
  const own = told.capacity ?? {};
  const others = Object.entries(current.capacity ?? {})
    .filter(([name]) => isExtendedResource(name) && !Object.hasOwn(own, name));
  const gone = devices.filter((name) => !Object.hasOwn(own, name)).map((name) => [name, "0"]);
  const unnamed: Record<string, string> = Object.fromEntries([...others, ...gone]);
  if (Object.keys(unnamed).length === 0) return {};
  return {
    capacity: { ...own, ...unnamed },
    allocatable: { ...told.allocatable, ...unnamed },
  };
}

function extendedNames({ capacity = {} }: NodeStatus): string[] {
  return Object.keys(capacity).filter(isExtendedResource);
}
