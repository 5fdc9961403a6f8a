import { type Container, limitOf, type Pod, qosClass, requestOf } from "../../../core/api/mod.ts";
import { type Bytes, bytes } from "../../../core/base/mod.ts";
import type { ContainerResources } from "../../runtimes/mod.ts";

/** Length of a CPU period, in microseconds. */
const PERIOD = 100_000;

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
  const critical = pod.spec.priorityClassName === "system-node-critical";
  if (critical || qos === "Guaranteed") return -997;
  if (qos === "BestEffort") return 1000;
  const request = requestOf(container, "memory") ?? 0;
  const score = 1000 - Math.floor((1000 * request) / Math.max(1, capacity));
  return Math.min(999, Math.max(3, score));
}
