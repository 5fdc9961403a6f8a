import {
  type Container,
  quantityToNumber,
  type ResourceRequirements,
} from "../../../core/api/mod.ts";
import type { ContainerMemory } from "./memory.ts";

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
