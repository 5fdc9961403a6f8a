import { type Ms, ms } from "../../../core/base/mod.ts";
import type { PodMemory } from "./memory.ts";
import type { Action, PodEvent, PodView } from "./plan.ts";
import { isLive } from "./view.ts";

/** The steps of an end. */
export interface EndingPlan {
  readonly actions: Action[];
  readonly events: PodEvent[];
  readonly gone: boolean;
}

/**
 * When the pod is to be dead: `grace` after the end was first asked for; asking again can only
 * shorten it, and so does a clock that was set back.
 */
export function endingFrom(
  memory: PodMemory,
  grace: Ms,
  now: Ms,
): NonNullable<PodMemory["ending"]> {
  const since = memory.ending?.since ?? now;
  const deadline = Math.min(memory.ending?.deadline ?? Infinity, now + grace);
  return { since, deadline: ms(deadline) };
}

/** Ends a pod: containers first, then sandboxes, then its files; each step when the one before is done. */
export function planEnding(
  input: {
    readonly view: PodView;
    readonly memory: PodMemory;
    readonly deadline: Ms;
    readonly now: Ms;
    readonly stopping: Readonly<Record<string, Ms>>;
  },
): EndingPlan {
  const { view, memory } = input;
  const actions: Action[] = [];
  const events: PodEvent[] = [];
  const live = view.containers.filter(isLive);
  for (const container of live) {
    const step = stopAction(container, input);
    if (step) {
      actions.push(step);
      events.push(killing(container.name));
    }
  }
  if (live.length > 0) return { actions, events, gone: false };
  const known = new Set(view.sandboxes.map((sandbox) => sandbox.id));
  for (const { id } of view.sandboxes) actions.push({ type: "remove-sandbox", sandboxId: id });
  for (const { id, sandboxId } of view.containers) {
    if (!known.has(sandboxId)) actions.push({ type: "remove-container", containerId: id });
  }
  if (actions.length > 0) return { actions, events, gone: false };
  if (!memory.cleaned) return { actions: [{ type: "clean" }], events, gone: false };
  return { actions, events, gone: true };
}

/** A stop of `container`, unless one with this deadline or an earlier one is under way. */
export function stopAction(
  container: { readonly id: string; readonly name: string },
  input: {
    readonly deadline: Ms;
    readonly now: Ms;
    readonly stopping: Readonly<Record<string, Ms>>;
  },
): (Action & { type: "stop" }) | undefined {
  const under = input.stopping[container.id];
  // Half a second of slack, or the same deadline computed twice would send a second stop.
  if (under !== undefined && under <= input.deadline + 500) return undefined;
  const grace = ms(Math.max(0, input.deadline - input.now));
  return { type: "stop", containerId: container.id, container: container.name, grace };
}

/** The kubelet's Event for a container that is stopped. */
export function killing(name: string): PodEvent {
  return {
    type: "Normal",
    reason: "Killing",
    message: `Stopping container ${name}`,
    fieldPath: `spec.containers{${name}}`,
  };
}
