import type { Container, Pod } from "../../../core/api/mod.ts";
import { type Ms, ms, seconds } from "../../../core/base/mod.ts";
import type { ObservedContainer } from "../../runtimes/mod.ts";
import { containerMemory, FIRST_RUN, type PodMemory, runOf, withContainer } from "./memory.ts";
import type { Action, PodEnv, PodEvent, PodView } from "./plan.ts";
import { fieldPathOf, findContainer, isSidecar } from "./roles.ts";
import { isLive } from "./view.ts";

/** When something is to be dead; a grace of 0 leaves it no time at all. */
export interface StopTime {
  readonly deadline: Ms;
  readonly grace?: Ms;
}

/** What the stop of a container follows from. */
export interface StopInput {
  /** Absent when its object is gone: then there are no hooks and no order. */
  readonly pod?: Pod;
  readonly view: PodView;
  readonly memory: PodMemory;
  readonly time: StopTime;
  readonly now: Ms;
  readonly env: Pick<PodEnv, "stopping" | "hooks">;
}

/** The next steps of a stop. */
export interface StopSteps {
  readonly memory: PodMemory;
  readonly actions: readonly Action[];
  readonly events: readonly PodEvent[];
  /** When the next step is due without being told. */
  readonly next?: Ms;
}

/** However long hooks and others took, a container gets this long between TERM and KILL. */
const LEAST_GRACE = seconds(2);

/**
 * Stops all that lives of a pod. Sidecars run their `preStop` hooks with the others, but get TERM
 * after all mains have ended, the last one first, as long as there is time.
 */
export function stopAllSteps(input: StopInput): StopSteps & { readonly live: boolean } {
  const live = input.view.containers.filter(isLive);
  const turn = turnsOf(input.pod, live);
  let { memory } = input;
  const actions: Action[] = [];
  const events: PodEvent[] = [];
  let next: Ms | undefined;
  for (const container of live) {
    const steps = stopSteps({ ...input, memory }, container, turn(container.name));
    memory = steps.memory;
    actions.push(...steps.actions);
    events.push(...steps.events);
    if (steps.next !== undefined) next = ms(Math.min(next ?? Infinity, steps.next));
  }
  const wait = next === undefined ? {} : { next };
  return { memory, actions, events, ...wait, live: live.length > 0 };
}

/** Whose turn it is to get TERM. */
function turnsOf(
  pod: Pod | undefined,
  live: readonly ObservedContainer[],
): (name: string) => boolean {
  const names = new Set(live.map((one) => one.name));
  if (!pod) return () => true;
  const mains = pod.spec.containers.some((one) => names.has(one.name));
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar).map((one) => one.name);
  const last = sidecars.findLast((name) => names.has(name));
  return (name) => !sidecars.includes(name) || (!mains && name === last);
}

/** Stops one container: its `preStop` hook, then TERM when it is its turn, each within the grace. */
export function stopSteps(
  input: StopInput,
  container: ObservedContainer,
  turn = true,
): StopSteps {
  const { memory, time, now, env } = input;
  const { id, name } = container;
  const found = input.pod && findContainer(input.pod, name);
  const part = containerMemory(memory, name) ?? FIRST_RUN;
  const run = runOf(part, id);
  const told = env.stopping[id] !== undefined;
  const hook = hookStep(found?.container, container, { ...input, over: told || run.preStop });
  if (hook === "wait") return { memory, actions: [], events: [], next: time.deadline };
  const say = killing(name, found && fieldPathOf(found));
  if (hook) return { memory, actions: [hook], events: [say], next: time.deadline };
  const view = env.hooks[id]?.hook === "preStop" ? env.hooks[id] : undefined;
  const news = view !== undefined && !run.preStop;
  const after = news
    ? withContainer(memory, name, { ...part, run: { ...run, preStop: "done" } })
    : memory;
  const events = news && view.state === "failed" ? [hookFailed(say)] : [];
  if (!turn && time.grace !== 0 && now < time.deadline) {
    return { memory: after, actions: [], events, next: time.deadline };
  }
  const stop = stopAction(container, { ...time, now, stopping: env.stopping });
  const first = stop && !told && !view && !run.preStop;
  return { memory: after, actions: stop ? [stop] : [], events: first ? [say] : events };
}

function hookFailed({ fieldPath = "" }: PodEvent): PodEvent {
  // Not why, as in Kubernetes: what a hook's server answers may be secret. The agent's log has it.
  const message = "PreStopHook failed";
  return { type: "Warning", reason: "FailedPreStopHook", message, fieldPath };
}

/** The `preStop` hook as an action, `wait` while it runs, `undefined` when TERM is next. */
function hookStep(
  spec: Container | undefined,
  container: ObservedContainer,
  input: StopInput & { readonly over: unknown },
): (Action & { type: "hook" }) | "wait" | undefined {
  const { time, now, env } = input;
  const wanted = spec?.lifecycle?.preStop && container.state === "running" && !input.over;
  if (!wanted || time.grace === 0 || now >= time.deadline) return undefined;
  const view = env.hooks[container.id];
  if (view?.hook !== "preStop") {
    return {
      type: "hook",
      hook: "preStop",
      container: container.name,
      containerId: container.id,
      limit: ms(time.deadline - now),
    };
  }
  return view.state === "running" ? "wait" : undefined;
}

/** A stop of `container`, unless one that ends as early or earlier is under way. */
export function stopAction(
  container: { readonly id: string; readonly name: string },
  input: StopTime & { readonly now: Ms; readonly stopping: Readonly<Record<string, Ms>> },
): (Action & { type: "stop" }) | undefined {
  const { now, deadline } = input;
  const grace = input.grace === 0 ? ms(0) : ms(Math.max(LEAST_GRACE, deadline - now));
  const under = input.stopping[container.id];
  // Half a second of slack, or the same deadline computed twice would send a second stop.
  if (under !== undefined && under <= now + grace + 500) return undefined;
  return { type: "stop", containerId: container.id, container: container.name, grace };
}

/** The kubelet's Event for a container that is stopped. */
export function killing(name: string, fieldPath = `spec.containers{${name}}`): PodEvent {
  return { type: "Normal", reason: "Killing", message: `Stopping container ${name}`, fieldPath };
}
