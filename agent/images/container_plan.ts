import type { Observation, ObservedContainer } from "../runtimes/mod.ts";

/** Dead containers of ended pods that are kept on a node, for people who look at them. */
const KEPT = 100;

/**
 * The sandboxes to remove, with the containers in them: of pods that have ended, nothing of which
 * runs, beyond what is kept; the longest ended first. `all`: there is no room to keep any. What is
 * dead of a pod that goes on is the pod's own business.
 */
export function planContainerGc(
  { sandboxes, containers }: Observation,
  ended: ReadonlySet<string>,
  options: { readonly all: boolean },
): string[] {
  const dead = sandboxes.filter((sandbox) =>
    ended.has(sandbox.podUid) && !sandbox.ready &&
    containers.every((one) => one.sandboxId !== sandbox.id || one.state === "exited")
  );
  const inside = (id: string): ObservedContainer[] =>
    containers.filter(({ sandboxId }) => sandboxId === id);
  const endOf = (id: string): number =>
    Math.max(0, ...inside(id).map(({ finishedAt = 0 }) => finishedAt));
  const newest = dead.toSorted((a, b) => endOf(b.id) - endOf(a.id));
  let kept = 0;
  return newest.filter(({ id }) => {
    kept += inside(id).length;
    return options.all || kept > KEPT;
  }).map(({ id }) => id);
}
