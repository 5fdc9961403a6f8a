import type { Pod } from "../../../core/api/mod.ts";
import { fromTime, type Ms, ms, seconds } from "../../../core/base/mod.ts";
import { advance } from "./decide_run.ts";
import { type Draft, finishPlan, note } from "./draft.ts";
import { endingFrom, planEnding } from "./ending.ts";
import { learn } from "./learn.ts";
import { containerMemory, FIRST_RUN, newMemory, type PodMemory } from "./memory.ts";
import type { Plan, PodEnv, PodView } from "./plan.ts";
import { refusals, refusalText } from "./support.ts";
import { readySandbox } from "./view.ts";

/**
 * What to do about one pod: the whole policy of the pods room, without I/O, clock or chance.
 *
 * `memory` is what the last plan remembered (absent for a pod that is new here), `now` the wall
 * clock. The caller persists `plan.memory` and `plan.status`, then acts, observes and asks again;
 * a plan without actions is done until `plan.next` or until something changes.
 */
export function decide(
  pod: Pod,
  view: PodView,
  memory: PodMemory | undefined,
  now: Ms,
  env: PodEnv,
): Plan {
  const draft = begin({ pod, view, memory, now, env });
  if (pod.metadata.deletionTimestamp) return end(draft);
  if (isTerminal(draft.memory)) return rest(draft);
  if (refuse(draft)) return finishPlan(draft);
  if (env.predecessor && view.sandboxes.length === 0) {
    waitAll(draft, "ContainerCreating", "the pod that had this name before has not ended yet");
    return finishPlan(draft);
  }
  advance(draft);
  return isTerminal(draft.memory) ? rest(draft) : finishPlan(draft);
}

/** Ends what is left of a pod whose object is gone, with evidence that it is. */
export function decideRemoval(
  view: PodView,
  memory: PodMemory,
  options: {
    readonly now: Ms;
    readonly grace: Ms;
    readonly stopping: Readonly<Record<string, Ms>>;
  },
): Plan {
  const { now, grace, stopping } = options;
  const learnt = learn(memory, view, { now, inits: new Set(), messages: {} });
  const ending = endingFrom(learnt, grace, now);
  const steps = planEnding({
    view,
    memory: learnt,
    deadline: ending.deadline,
    now,
    stopping,
  });
  return { memory: { ...learnt, ending }, ...steps };
}

function begin(
  input: {
    readonly pod: Pod;
    readonly view: PodView;
    readonly memory: PodMemory | undefined;
    readonly now: Ms;
    readonly env: PodEnv;
  },
): Draft {
  const { pod, view, now, env } = input;
  const { name, namespace = "default", uid = "" } = pod.metadata;
  const grace = seconds(pod.spec.terminationGracePeriodSeconds ?? 30);
  const before = input.memory ??
    seedFromStatus(pod, newMemory({ uid, namespace, name }, { now, grace }));
  const inits = new Set((pod.spec.initContainers ?? []).map((one) => one.name));
  const memory = learn(before, view, { now, inits, messages: env.messages });
  return { pod, view, now, env, before, memory, actions: [], events: [], verdicts: new Map() };
}

/**
 * A pod without memory that was reported on before: the state folder was lost. What was reported
 * still holds, so that an ended pod is not run again and no restart count falls.
 */
function seedFromStatus(pod: Pod, memory: PodMemory): PodMemory {
  const { phase, startTime, containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const containers = Object.fromEntries(
    [...containerStatuses, ...initContainerStatuses]
      .filter((one) => one.restartCount > 0)
      .map((one) => [one.name, { ...FIRST_RUN, attempt: one.restartCount }]),
  );
  return {
    ...memory,
    containers,
    startTime: fromTime(startTime) ?? memory.startTime,
    phase: phase && phase !== "Unknown" ? phase : memory.phase,
  };
}

function end(draft: Draft): Plan {
  const { pod, view, now, env } = draft;
  const seconds_ = pod.metadata.deletionGracePeriodSeconds;
  const grace = seconds_ === undefined ? draft.memory.grace : seconds(seconds_);
  const ending = endingFrom(draft.memory, grace, now);
  draft.memory = { ...draft.memory, ending };
  const steps = planEnding({
    view,
    memory: draft.memory,
    deadline: ending.deadline,
    now,
    stopping: env.stopping,
  });
  draft.actions.push(...steps.actions);
  draft.events.push(...steps.events);
  const live = keepVerdicts(draft);
  if (!live && !isTerminal(draft.memory)) settlePhase(draft);
  return { ...finishPlan(draft), gone: steps.gone };
}

/** A pod that has run to its end: nothing may run any more; containers stay until it is deleted. */
function rest(draft: Draft): Plan {
  const ready = draft.view.sandboxes.filter((one) => one.ready);
  const live = keepVerdicts(draft);
  if (!live) {
    for (const { id } of ready) draft.actions.push({ type: "stop-sandbox", sandboxId: id });
  }
  const plan = finishPlan(draft);
  const known = live || Object.values(plan.memory.containers).some((one) => one.exit ?? one.last);
  // Its memory was lost: what was reported says more than what can be made up now.
  return known || !draft.pod.status ? plan : { ...plan, status: draft.pod.status };
}

/** Shows every container as it is, without wanting anything of it. Returns whether one is live. */
function keepVerdicts(draft: Draft): boolean {
  const { pod, memory, view } = draft;
  let any = false;
  for (const { name } of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    const part = containerMemory(memory, name) ?? FIRST_RUN;
    const container = view.containers.find((one) =>
      one.name === name && (one.state === "running" || one.state === "unknown")
    );
    const shown = draft.verdicts.get(name);
    if (container) {
      any = true;
      draft.verdicts.set(name, { kind: "running", container });
    } else if (part.exit) {
      draft.verdicts.set(name, { kind: "done", exit: part.exit });
    } else if (part.last) {
      draft.verdicts.set(name, { kind: "done", exit: part.last });
    } else if (shown?.kind !== "wait") {
      const reason = pod.spec.initContainers?.length ? "PodInitializing" : "ContainerCreating";
      draft.verdicts.set(name, { kind: "wait", reason });
    }
  }
  return any;
}

/** The last phase of a pod that was deleted: Succeeded when every container ended well. */
function settlePhase(draft: Draft): void {
  const { pod, memory } = draft;
  const good = pod.spec.containers.every((one) =>
    containerMemory(memory, one.name)?.exit?.exitCode === 0
  );
  draft.memory = { ...memory, phase: good ? "Succeeded" : "Failed" };
}

/** Refuses a pod that asks for what this node cannot do, unless it runs already. */
function refuse(draft: Draft): boolean {
  const { pod, env, view, memory } = draft;
  const list = view.containers.length > 0 || readySandbox(view) ? [] : refusals(pod, env.node);
  if (list.length === 0) {
    if (memory.refused === undefined) return false;
    const { refused: _, ...rest } = memory;
    draft.memory = rest;
    return false;
  }
  const message = refusalText(list);
  if (memory.refused !== message) {
    draft.memory = { ...memory, refused: message };
    draft.events.push({ type: "Warning", reason: "UnsupportedField", message });
  }
  waitAll(draft, "UnsupportedField", message);
  return true;
}

function waitAll(draft: Draft, reason: string, message: string): void {
  const { initContainers = [], containers } = draft.pod.spec;
  for (const { name } of [...initContainers, ...containers]) {
    draft.verdicts.set(name, { kind: "wait", reason, message });
  }
  note(draft, ms(draft.now + seconds(60)));
}

function isTerminal(memory: PodMemory): boolean {
  return memory.phase === "Succeeded" || memory.phase === "Failed";
}
