import {
  type Container,
  type Pod,
  type PodSpec,
  type PodStatus,
  quantityToNumber,
} from "../../../core/api/mod.ts";
import { type Bytes, bytes } from "../../../core/base/mod.ts";
import type { ContainerResources } from "../../runtimes/mod.ts";

/** Length of a CPU period, in microseconds. */
const PERIOD = 100_000;
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

/**
 * The numbers for a container's cgroup, as the kubelet computes them: shares of 1024 a core (at
 * least 2), a quota per 100 ms (at least 1 ms), the memory limit, the OOM score by class.
 */
export function cgroupNumbers(
  pod: Pod,
  container: Container,
  memoryCapacity: Bytes,
): ContainerResources {
  const cpu = requestOf(container, "cpu") ?? 0;
  const cpuLimit = limitOf(container, "cpu");
  const memory = limitOf(container, "memory");
  return {
    cpuShares: Math.min(262_144, Math.max(2, Math.floor(cpu * 1024))),
    ...(cpuLimit
      ? { cpuPeriod: PERIOD, cpuQuota: Math.max(1000, Math.round(cpuLimit * PERIOD)) }
      : {}),
    ...(memory ? { memoryLimit: bytes(Math.ceil(memory)) } : {}),
    oomScoreAdj: oomScore(pod, container, memoryCapacity),
  };
}

/** The numbers that change when a running container is given other resources. */
export function resizeNumbers(
  pod: Pod,
  container: Container,
  memoryCapacity: Bytes,
): ContainerResources {
  const { oomScoreAdj: _, ...numbers } = cgroupNumbers(pod, container, memoryCapacity);
  return { cpuQuota: -1, ...numbers };
}

function oomScore(pod: Pod, container: Container, capacity: Bytes): number {
  const qos = qosClass(pod.spec);
  if (qos === "Guaranteed") return -997;
  if (qos === "BestEffort") return 1000;
  const request = requestOf(container, "memory") ?? 0;
  const score = 1000 - Math.floor((1000 * request) / Math.max(1, capacity));
  return Math.min(999, Math.max(3, score));
}
