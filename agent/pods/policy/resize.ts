import {
  type Container,
  type Pod,
  quantityToNumber,
  type ResourceRequirements,
} from "../../../core/api/mod.ts";
import { ms, seconds } from "../../../core/base/mod.ts";
import type { ObservedContainer } from "../../runtimes/mod.ts";
import { type Draft, note, tellOnce } from "./draft.ts";
import {
  type ContainerMemory,
  containerMemory,
  FIRST_RUN,
  type PodMemory,
  withContainer,
} from "./memory.ts";
import { type PodContainer, podContainers } from "./roles.ts";

const RESIZABLE = ["cpu", "memory"] as const;

/** The resources whose amounts differ between what a container was given and what it should have. */
export function changedResources(
  given: ResourceRequirements,
  wanted: ResourceRequirements,
): string[] {
  return RESIZABLE.filter((name) =>
    (["requests", "limits"] as const).some((list) =>
      quantityToNumber(given[list]?.[name]) !== quantityToNumber(wanted[list]?.[name])
    )
  );
}

/** What differs between a running container and its spec; nothing when nobody knows what it was given. */
export function resizeOf(part: ContainerMemory, container: Container): string[] {
  if (!part.resources) return [];
  return changedResources(part.resources, container.resources ?? {});
}

/** Whether a change of these resources needs a restart of the container. */
export function needsRestart(container: Container, changed: readonly string[]): boolean {
  return (container.resizePolicy ?? []).some(({ resourceName, restartPolicy }) =>
    restartPolicy === "RestartContainer" && changed.includes(resourceName)
  );
}

/** Whether some container of a pod was given other resources than it should have by now. */
export function wantsResize(pod: Pod, memory: PodMemory): boolean {
  return podContainers(pod).some(({ container }) => {
    const part = containerMemory(memory, container.name);
    return part?.id !== undefined && !part.exit && resizeOf(part, container).length > 0;
  });
}

/** Plans what gives a running container the resources of its spec, when the node can. */
export function resize(
  draft: Draft,
  { container, role }: PodContainer,
  current: ObservedContainer,
): void {
  const { name } = container;
  const part = containerMemory(draft.memory, name) ?? FIRST_RUN;
  const resources = container.resources ?? {};
  if (!part.resources) {
    draft.memory = withContainer(draft.memory, name, { ...part, resources });
    return;
  }
  if (role === "init" || role === "debug" || resizeOf(part, container).length === 0) return;
  const { resizeRefused: refused } = draft.env;
  if (refused) {
    const { reason, message } = refused;
    // Another pod may have gone by then.
    note(draft, ms(draft.now + seconds(30)));
    const key = `resize:${draft.pod.metadata.generation ?? 0}:${reason}`;
    return tellOnce(draft, key, { type: "Warning", reason: `Resize${reason}`, message });
  }
  const failure = part.resizeFailure;
  if (failure && failure.until > draft.now) return note(draft, failure.until);
  draft.actions.push({ type: "resize", container: name, containerId: current.id, resources });
}
