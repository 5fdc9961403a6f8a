import type { Container, PodSpec, PodStatus } from "./pod.ts";
import { quantityToNumber } from "./quantity.ts";

const COMPUTE = ["cpu", "memory"] as const;

/** What a container asks for; a limit without a request is its own request. */
export function requestOf(container: Container, resource: string): number | undefined {
  const { requests, limits } = container.resources ?? {};
  return quantityToNumber(requests?.[resource] ?? limits?.[resource]);
}

/** The most that a container may use; `undefined` without a limit. */
export function limitOf(container: Container, resource: string): number | undefined {
  return quantityToNumber(container.resources?.limits?.[resource]);
}

/**
 * The pod's quality-of-service class, by the rule of Kubernetes: Guaranteed when every container
 * has CPU and memory limits equal to its requests, BestEffort when none asks for anything.
 */
export function qosClass(spec: PodSpec): NonNullable<PodStatus["qosClass"]> {
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  let any = false;
  let guaranteed = true;
  for (const container of containers) {
    for (const resource of COMPUTE) {
      const request = requestOf(container, resource) ?? 0;
      const limit = limitOf(container, resource) ?? 0;
      if (request > 0 || limit > 0) any = true;
      if (limit === 0 || request !== limit) guaranteed = false;
    }
  }
  return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}
