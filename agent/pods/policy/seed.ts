import { isFinalPhase, type Pod } from "../../../core/api/mod.ts";
import { fromTime } from "../../../core/base/mod.ts";
import { type ContainerMemory, FIRST_RUN, type PodMemory } from "./memory.ts";
import type { PodView } from "./plan.ts";
import { findContainer } from "./roles.ts";
import { currentOf, isLive, readySandbox } from "./view.ts";

/**
 * The first memory of a pod. One that was reported on before, or that runs, is known: the state
 * folder was lost. What was reported still holds, so that an ended pod is not run again and no
 * restart count falls; and what runs has had its `postStart` hook.
 */
export function seedMemory(pod: Pod, view: PodView, memory: PodMemory): PodMemory {
  const { phase, startTime, podIPs = [] } = pod.status ?? {};
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const containers: Record<string, ContainerMemory> = {};
  for (const { name, restartCount } of [...containerStatuses, ...initContainerStatuses]) {
    if (restartCount > 0) containers[name] = { ...FIRST_RUN, attempt: restartCount };
  }
  for (const name of new Set(view.containers.map((one) => one.name))) {
    const current = currentOf(view, name);
    if (!current || !isLive(current)) continue;
    const { id, attempt } = current;
    const part = containers[name] ?? FIRST_RUN;
    const hook = findContainer(pod, name)?.container.lifecycle?.postStart;
    const run = hook ? { run: { id, postStart: "done" as const } } : {};
    containers[name] = { ...part, attempt: Math.max(part.attempt, attempt), id, ...run };
  }
  return {
    ...memory,
    containers,
    // Of one that runs, its sandbox tells.
    ips: isFinalPhase(phase) ? podIPs.map(({ ip }) => ip) : memory.ips,
    // A static pod was reported on by nobody, and what it runs in tells.
    startTime: fromTime(startTime) ?? readySandbox(view)?.createdAt ?? memory.startTime,
    phase: phase && phase !== "Unknown" ? phase : memory.phase,
  };
}
