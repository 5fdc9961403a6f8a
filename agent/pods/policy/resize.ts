import {
  type Container,
  type Pod,
  quantityToNumber,
  type ResourceRequirements,
} from "../../../core/api/mod.ts";
import type { ObservedContainer } from "../../runtimes/mod.ts";
import { type Draft, note } from "./draft.ts";
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
function changedResources(given: ResourceRequirements, wanted: ResourceRequirements): string[] {
  return RESIZABLE.filter((name) =>
    (["requests", "limits"] as const).some((list) =>
      quantityToNumber(given[list]?.[name]) !== quantityToNumber(wanted[list]?.[name])
    )
  );
}

/** What differs between a container and its spec; nothing when nobody knows what it was given. */
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

/** The containers of a pod that were given other resources than its spec says by now. */
export function resized(pod: Pod, memory: PodMemory): ContainerMemory[] {
  return podContainers(pod).flatMap(({ container, role }) => {
    const part = isResizable(role) ? containerMemory(memory, container.name) : undefined;
    return part && resizeOf(part, container).length > 0 ? part : [];
  });
}

/** Plans what gives a running container the resources of its spec. */
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
  if (!isResizable(role) || resizeOf(part, container).length === 0) return;
  const failure = part.resizeFailure;
  if (failure && failure.until > draft.now) return note(draft, failure.until);
  draft.actions.push({ type: "resize", container: name, containerId: current.id, resources });
}

function isResizable(role: PodContainer["role"]): boolean {
  return role === "main" || role === "sidecar";
}
