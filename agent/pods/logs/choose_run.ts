import type { Pod } from "../../../core/api/mod.ts";
import { AppError } from "../../../core/base/mod.ts";
import { containerMemory, type PodMemory } from "../policy/memory.ts";
import { podContainers } from "../policy/roles.ts";

/**
 * Which run's log is asked for.
 *
 * @throws {AppError} BadRequest in the kubelet's words: no such container, it has not started, or
 *   there is no previous run
 */
export function chooseRun(
  pod: Pod,
  memory: PodMemory | undefined,
  want: { readonly container: string; readonly previous: boolean },
): number {
  const { container, previous } = want;
  const { name } = pod.metadata;
  const all = podContainers(pod).map((one) => one.container);
  if (!all.some((one) => one.name === container)) {
    throw new AppError("BadRequest", `container ${container} is not valid for pod ${name}`);
  }
  const part = memory && containerMemory(memory, container);
  const started = part?.id !== undefined || part?.exit !== undefined;
  const current = started ? part?.attempt : part?.last?.attempt;
  if (previous) {
    if (started && part?.last) return part.last.attempt;
    throw new AppError(
      "BadRequest",
      `previous terminated container "${container}" in pod "${name}" not found`,
    );
  }
  if (current !== undefined) return current;
  const statuses = [
    ...(pod.status?.containerStatuses ?? []),
    ...(pod.status?.initContainerStatuses ?? []),
  ];
  const waiting = statuses.find((one) => one.name === container)?.state.waiting;
  throw new AppError(
    "BadRequest",
    `container "${container}" in pod "${name}" is waiting to start: ${
      waiting?.reason ?? "ContainerCreating"
    }`,
  );
}
