import type { ObservedContainer, ObservedSandbox } from "../../runtimes/mod.ts";
import type { PodView } from "./plan.ts";

/** The instance of a container that counts: the running one, else that of the highest attempt. */
export function currentOf(view: PodView, name: string): ObservedContainer | undefined {
  let best: ObservedContainer | undefined;
  for (const one of view.containers) {
    if (one.name !== name || wasCut(one)) continue;
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
 * Whether the start of a container was broken off because whoever asked for it went away (the agent
 * was killed) or took too long: it never ran, so that is no exit, and the same run is made anew.
 * containerd's words for it, in `pkg/cri/server/container_start.go`.
 */
export function wasCut(container: ObservedContainer): boolean {
  const { state, startedAt, reason = "", message = "" } = container;
  if (state !== "exited" || startedAt !== undefined || reason !== "StartError") return false;
  return /context (canceled|deadline exceeded)/.test(message);
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
