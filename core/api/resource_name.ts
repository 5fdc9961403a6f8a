/** Kubernetes' own resources of a container, but for huge pages, whose names tell their size. */
const STANDARD: readonly string[] = ["cpu", "memory", "ephemeral-storage"];

/** Whether a name is that of huge pages. */
export function isHugePages(name: string): boolean {
  return name.startsWith("hugepages-");
}

/** Whether a container may ask for this: Kubernetes' own, or what a device plugin offers by its domain. */
export function isResourceName(name: string): boolean {
  return STANDARD.includes(name) || isHugePages(name) || name.includes("/");
}
