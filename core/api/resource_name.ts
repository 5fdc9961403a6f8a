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

/**
 * Whether a name is of a resource that is none of Kubernetes' own, e.g. `example.com/tpu`. Source:
 * `v1helper.IsExtendedResourceName`.
 */
export function isExtendedResource(name: string): boolean {
  const [domain = "", own = "", more] = name.split("/");
  if (more !== undefined || domain.endsWith("kubernetes.io") || domain.startsWith("requests.")) {
    return false;
  }
  return domain.length <= 244 && /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(domain) &&
    own.length <= 63 && /^[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$/.test(own);
}
