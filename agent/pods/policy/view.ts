import type { ObservedContainer, ObservedSandbox } from "../../runtimes/mod.ts";
import { containerMemory, type PodMemory, START_FAILED } from "./memory.ts";
import type { PodView, SeenContainer } from "./plan.ts";

/** The instance of a container that counts: the running one, else that of the highest attempt. */
export function currentOf(view: PodView, name: string): ObservedContainer | undefined {
  let best: ObservedContainer | undefined;
  for (const one of view.containers) {
    if (one.name !== name || one.cut) continue;
    if (!best || rank(one) > rank(best)) best = one;
  }
  return best;
}

function rank(container: ObservedContainer): number {
  return container.attempt + (isLive(container) ? 1e9 : 0);
}

/** Whether a container may have a process. */
export function isLive(container: ObservedContainer): boolean {
  return container.state === "running" || container.state === "unknown";
}

/**
 * Marks containers whose start was broken off, as the agent was killed or the runtime went away under
 * it: they never ran, so that is no exit, and the same run is made anew. A start that a living agent
 * has seen fail is remembered as a failure, and is an exit.
 */
export function markCut(view: PodView, memory: PodMemory | undefined): PodView {
  const isCut = (one: SeenContainer): boolean => {
    if (one.state !== "exited" || one.startedAt !== undefined) return false;
    const part = memory && containerMemory(memory, one.name);
    if (part && (part.attempt !== one.attempt || part.id === one.id)) return false;
    return part?.failure?.reason !== START_FAILED || wasLate(one);
  };
  if (!view.containers.some(isCut)) return view;
  const containers = view.containers.map((one): SeenContainer =>
    isCut(one) ? { ...one, cut: true } : one
  );
  return { ...view, containers };
}

/** containerd's words, in `pkg/cri/server/container_start.go`, when the call took too long. */
function wasLate({ reason, message = "" }: SeenContainer): boolean {
  return reason === "StartError" && /context (canceled|deadline exceeded)/.test(message);
}

/** The sandbox to run in: a ready one, first that with live containers, then the newest. */
export function readySandbox(view: PodView): ObservedSandbox | undefined {
  const used = new Set(view.containers.filter(isLive).map((one) => one.sandboxId));
  let best: ObservedSandbox | undefined;
  for (const one of view.sandboxes) {
    if (!one.ready) continue;
    if (!best || score(one, used) > score(best, used)) best = one;
  }
  return best;
}

function score(sandbox: ObservedSandbox, used: ReadonlySet<string>): number {
  return sandbox.attempt + (used.has(sandbox.id) ? 1e9 : 0);
}
