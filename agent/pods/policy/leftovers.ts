import type { Pod } from "../../../core/api/mod.ts";
import { ms } from "../../../core/base/mod.ts";
import type { Draft } from "./draft.ts";
import type { PodEvent } from "./plan.ts";
import { fieldPathOf, findContainer, podContainers } from "./roles.ts";
import { killing, stopAction } from "./stopping.ts";
import { currentOf, isLive, readySandbox } from "./view.ts";

/**
 * Clears what must not stay: containers in sandboxes that are not the present one, second
 * instances, containers that the spec does not have, old exited runs. Returns whether something
 * is in the way of a new start.
 */
export function clearLeftovers(draft: Draft): boolean {
  const { view, pod, now, env } = draft;
  const ready = readySandbox(view);
  const deadline = ms(now + draft.memory.grace);
  const names = new Set(podContainers(pod).map(({ container }) => container.name));
  const busy = new Set<string>();
  let blocked = false;
  for (const container of view.containers) {
    const current = currentOf(view, container.name);
    const stray = container.sandboxId !== ready?.id || !names.has(container.name);
    if (isLive(container)) {
      if (!stray && container === current && container.state === "running") continue;
      blocked = true;
      busy.add(container.sandboxId);
      const stop = stopAction(container, { deadline, now, stopping: env.stopping });
      if (stop) {
        draft.actions.push(stop);
        draft.events.push(killing(container.name));
      }
    } else if (container.sandboxId === ready?.id && (container !== current || stray)) {
      if (container.cut) draft.events.push(interrupted(pod, container.name));
      // It has the name that the next run is to have.
      if (container.attempt > (current?.attempt ?? -1)) blocked = true;
      const old = current !== undefined && container.attempt < current.attempt - 1;
      draft.actions.push({
        type: "remove-container",
        containerId: container.id,
        ...(old ? { logPath: container.logPath } : {}),
      });
    }
  }
  for (const sandbox of view.sandboxes) {
    if (sandbox.id === ready?.id) continue;
    blocked = true;
    if (!busy.has(sandbox.id)) {
      draft.actions.push({ type: "remove-sandbox", sandboxId: sandbox.id });
    }
  }
  return blocked;
}

/** Tells of a run that is made anew, as nobody can know whether its program ran for a moment. */
function interrupted(pod: Pod, name: string): PodEvent {
  const which = findContainer(pod, name);
  const message = `The start of container ${name} was broken off, so it is started once more`;
  return {
    type: "Warning",
    reason: "StartInterrupted",
    message,
    ...(which ? { fieldPath: fieldPathOf(which) } : {}),
  };
}
