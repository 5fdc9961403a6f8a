import type { Pod } from "../../../core/api/mod.ts";
import { type Ms, ms } from "../../../core/base/mod.ts";
import type { PodMemory } from "./memory.ts";
import type { Action, Plan, PodEnv, PodEvent, PodView } from "./plan.ts";
import { podStatus } from "./status.ts";
import type { Verdict } from "./verdict.ts";

/** A plan in the making. Lives only inside one call of `decide`. */
export interface Draft {
  /** With the resources that the node has granted it. */
  pod: Pod;
  readonly view: PodView;
  readonly now: Ms;
  readonly env: PodEnv;
  /** The memory before this look. */
  readonly before: PodMemory;
  memory: PodMemory;
  readonly actions: Action[];
  readonly events: PodEvent[];
  readonly verdicts: Map<string, Verdict>;
  next?: Ms;
}

/** Asks for another look at `at`; the earliest wins. */
export function note(draft: Draft, at: Ms | undefined): void {
  if (at === undefined) return;
  draft.next = ms(Math.min(draft.next ?? Infinity, at));
}

/** Emits an event that must not come again while the pod lives. */
export function tellOnce(draft: Draft, key: string, event: PodEvent): void {
  if (draft.memory.told.includes(key)) return;
  // Bounded: a pod that meets more different troubles than this may repeat an event.
  draft.memory = { ...draft.memory, told: [...draft.memory.told, key].slice(-20) };
  draft.events.push(event);
}

/** The plan, with the status that follows from the verdicts. */
export function finishPlan(draft: Draft): Plan {
  const { status, phase } = podStatus(draft);
  return {
    memory: { ...draft.memory, phase },
    status,
    actions: draft.actions,
    events: draft.events,
    ...(draft.next === undefined ? {} : { next: draft.next }),
    gone: false,
  };
}
