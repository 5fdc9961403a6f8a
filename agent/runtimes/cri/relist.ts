import { type Ms, ms, seconds } from "../../../core/base/mod.ts";

/** How often to list. */
export interface RelistPolicy {
  /** The gap after the first list that showed no change; it doubles from there. */
  readonly first: Ms;
  /** The longest gap while a change is expected. */
  readonly fastCap: Ms;
  /** How long a change is expected after a hint. */
  readonly fastFor: Ms;
  /** The gap while nothing is expected. */
  readonly slow: Ms;
}

/**
 * With a push of task events, listing only confirms what was pushed, and guards against a lost event.
 * containerd's CRI view of an exit follows the event by 25 to 50 ms, while it deletes the task.
 */
export const PUSHED: RelistPolicy = {
  first: ms(3),
  fastCap: ms(8),
  fastFor: ms(500),
  slow: seconds(10),
};

/** Without a push: quick after something was started or stopped, once a second otherwise. */
export const POLLED: RelistPolicy = {
  first: ms(3),
  fastCap: ms(50),
  fastFor: seconds(3),
  slow: seconds(1),
};

/** What the next gap depends on. */
export interface RelistState {
  /** When a change was last hinted at; `undefined` when none is expected. */
  readonly hintedAt?: Ms;
  /** Lists since the hint that did not show the change. */
  readonly misses: number;
}

/** The wait before the next list. */
export function relistGap(policy: RelistPolicy, state: RelistState, now: Ms): Ms {
  if (state.hintedAt === undefined || now - state.hintedAt >= policy.fastFor) return policy.slow;
  return ms(Math.min(policy.first * 2 ** Math.min(state.misses, 20), policy.fastCap));
}

/** The longest {@linkcode relistRest}. */
const REST_CAP = ms(250);

/**
 * The wait after a list that took `took`, whatever is hinted at meanwhile: so lists take a quarter of
 * the time at most, and many starts at once are not slowed down by looking at them.
 */
export function relistRest(took: Ms): Ms {
  return ms(Math.min(took * 3, REST_CAP));
}

/** What {@linkcode changedPods} compares: who is there, in which state. */
export interface ListedItem {
  readonly id: string;
  readonly podUid: string;
  /** Any text that differs when the state does. */
  readonly state: string;
}

/** Pods of which something came, went or changed its state between two lists. */
export function changedPods(
  before: ReadonlyMap<string, ListedItem>,
  after: ReadonlyMap<string, ListedItem>,
): Set<string> {
  const changed = new Set<string>();
  for (const [id, item] of after) {
    if (before.get(id)?.state !== item.state) changed.add(item.podUid);
  }
  for (const [id, item] of before) if (!after.has(id)) changed.add(item.podUid);
  return changed;
}

/** A pushed event that a list should soon show. */
export interface Hint {
  /** Container or sandbox. */
  readonly id: string;
  readonly kind: "start" | "exit";
}

/** States of a {@linkcode ListedItem} that has not started, and of one that has not ended. */
export const BEFORE_START = "created";
const RUNS: readonly string[] = [BEFORE_START, "running", "ready"];

/** Whether a list shows what `hint` announced. Something that is gone has got past both. */
export function isShown(hint: Hint, listed: ReadonlyMap<string, ListedItem>): boolean {
  const state = listed.get(hint.id)?.state;
  if (state === undefined) return hint.kind === "exit";
  return hint.kind === "start" ? state !== BEFORE_START : !RUNS.includes(state);
}
