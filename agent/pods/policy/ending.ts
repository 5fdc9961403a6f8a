import { type Ms, ms } from "../../../core/base/mod.ts";
import type { PodMemory } from "./memory.ts";
import type { Action, PodEvent } from "./plan.ts";
import { stopAllSteps, type StopInput } from "./stopping.ts";

/** The steps of an end. */
export interface EndingPlan {
  readonly memory: PodMemory;
  readonly actions: readonly Action[];
  readonly events: readonly PodEvent[];
  readonly next?: Ms;
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
  const { ending } = memory;
  const deadline = ms(Math.min(ending?.deadline ?? Infinity, now + grace));
  const least = ms(Math.max(0, Math.min(ending?.grace ?? Infinity, grace)));
  return { since: ending?.since ?? now, deadline, grace: least };
}

/** Ends a pod: containers first, then sandboxes, then its files; each step when the one before is done. */
export function planEnding(input: StopInput): EndingPlan {
  const { live, ...steps } = stopAllSteps(input);
  if (live) return { ...steps, gone: false };
  const { view, memory } = input;
  const actions: Action[] = [];
  const known = new Set(view.sandboxes.map((sandbox) => sandbox.id));
  for (const { id } of view.sandboxes) actions.push({ type: "remove-sandbox", sandboxId: id });
  for (const { id, sandboxId } of view.containers) {
    if (!known.has(sandboxId)) actions.push({ type: "remove-container", containerId: id });
  }
  if (actions.length > 0) return { memory, actions, events: [], gone: false };
  if (!memory.cleaned) return { memory, actions: [{ type: "clean" }], events: [], gone: false };
  return { memory, actions, events: [], gone: true };
}
