import type { Pod } from "../../../core/api/mod.ts";
import { containerMemory, FIRST_RUN, type PodMemory, runOf } from "./memory.ts";
import type { PodEnv } from "./plan.ts";
import { findContainer, type PodContainer } from "./roles.ts";
import type { Verdict } from "./verdict.ts";

/** What is known beside the verdict. */
interface Known {
  readonly memory: PodMemory;
  readonly env: Pick<PodEnv, "probes">;
}

/** Whether a running container has a `postStart` hook that is not over. */
export function awaitsHook(
  pod: Pod,
  { id, name }: { readonly id: string; readonly name: string },
  memory: PodMemory | undefined,
): boolean {
  if (!findContainer(pod, name)?.container.lifecycle?.postStart) return false;
  const part = memory && containerMemory(memory, name);
  return !part || runOf(part, id).postStart === undefined;
}

/** Whether a container has started: it runs, its `postStart` hook is over, its startup probe has succeeded. */
export function isStarted(
  { memory, env }: Known,
  { container, verdict }: PodContainer & { readonly verdict: Verdict },
): boolean {
  if (verdict.kind !== "running" || verdict.as) return false;
  const part = containerMemory(memory, container.name) ?? FIRST_RUN;
  if (container.lifecycle?.postStart && !runOf(part, verdict.container.id).postStart) return false;
  if (!container.startupProbe) return true;
  const view = env.probes[container.name];
  return view?.containerId === verdict.container.id && view.started;
}

/** Whether a container can do its work: it has started and its readiness probe succeeds. */
export function isReady(
  known: Known,
  which: PodContainer & { readonly verdict: Verdict },
): boolean {
  const { container, verdict, role } = which;
  if (role === "debug" || verdict.kind !== "running" || !isStarted(known, which)) return false;
  if (!container.readinessProbe) return true;
  const view = known.env.probes[container.name];
  return view?.containerId === verdict.container.id && view.ready;
}
