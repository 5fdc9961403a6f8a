import type { Pod } from "../../../core/api/mod.ts";
import { type Ms, ms, seconds } from "../../../core/base/mod.ts";
import { advance } from "./decide_run.ts";
import { type Draft, finishPlan, note, tellOnce } from "./draft.ts";
import { endingFrom, planEnding } from "./ending.ts";
import { checkFinish, finishPod, isTerminal, reject, rest, showAll } from "./finish.ts";
import { learn } from "./learn.ts";
import { containerMemory, newMemory, type PodMemory } from "./memory.ts";
import type { Plan, PodEnv, PodView } from "./plan.ts";
import { followResize, grantResize } from "./resize_grant.ts";
import { initNames, podContainers, waitingReason } from "./roles.ts";
import { seedMemory } from "./seed.ts";
import { refusals, refusalText } from "./support.ts";
import { resumePod, shutDownPod } from "./shut_down.ts";
import { markCut, readySandbox } from "./view.ts";

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
  if (!draft.memory.finish) checkFinish(draft);
  if (!draft.memory.finish) {
    const down = shutDownPod(draft);
    if (down) return down;
    if (refuse(draft)) return finishPlan(draft);
    if (awaitOthers(draft)) return finishPlan(draft);
    if (reject(draft)) return rest(draft);
    grantResize(draft);
    advance(draft);
    followResize(draft);
  }
  const { finish } = draft.memory;
  return finish ? finishPod(draft, finish) : finishPlan(draft);
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
  const env = { stopping, hooks: {} };
  return planEnding({ view, memory: { ...learnt, ending }, time: ending, now, env });
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
  const { pod, now, env } = input;
  const view = markCut(input.view, input.memory);
  const { name, namespace = "default", uid = "" } = pod.metadata;
  const grace = seconds(pod.spec.terminationGracePeriodSeconds ?? 30);
  const before = input.memory ??
    seedMemory(pod, view, newMemory({ uid, namespace, name }, { now, grace }));
  const learnt = learn(before, view, { now, inits: initNames(pod), messages: env.messages });
  const memory = env.shutdown ? learnt : resumePod(learnt, now);
  return { pod, view, now, env, before, memory, actions: [], events: [], verdicts: new Map() };
}

/** A pod that is deleted: stops it, removes it, and says so when nothing is left. */
function end(draft: Draft): Plan {
  const { pod, now } = draft;
  const asked = pod.metadata.deletionGracePeriodSeconds;
  const grace = asked === undefined ? draft.memory.grace : seconds(asked);
  const ending = endingFrom(draft.memory, grace, now);
  draft.memory = { ...draft.memory, ending };
  const steps = planEnding({ ...draft, time: ending });
  draft.memory = steps.memory;
  draft.actions.push(...steps.actions);
  draft.events.push(...steps.events);
  note(draft, steps.next);
  const live = showAll(draft);
  if (!live && !isTerminal(draft.memory)) settlePhase(draft);
  return { ...finishPlan(draft), gone: steps.gone };
}

/** The last phase of a pod that was deleted: Succeeded when every container ended well. */
function settlePhase(draft: Draft): void {
  const { pod, memory } = draft;
  const good = pod.spec.containers.every((one) =>
    containerMemory(memory, one.name)?.exit?.exitCode === 0
  );
  const phase = memory.finish?.phase ?? (good ? "Succeeded" : "Failed");
  const { reason, message } = memory.finish ?? memory;
  draft.memory = {
    ...memory,
    phase,
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
  };
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

/** Holds a pod back that is new here, until an older one has ended or somebody has what it asks for. */
function awaitOthers(draft: Draft): boolean {
  const { env: { predecessor, waits }, view } = draft;
  if (view.sandboxes.length > 0) return false;
  if (predecessor) {
    waitAll(draft, waitingReason(draft.pod), "the pod that had this name before has not ended yet");
    return true;
  }
  if (!waits) return false;
  const { message, tell } = waits;
  if (tell) {
    tellOnce(draft, `waits:${message}`, { type: "Warning", reason: tell, message });
  }
  waitAll(draft, waitingReason(draft.pod), message);
  return true;
}

function waitAll(draft: Draft, reason: string, message: string): void {
  for (const { container } of podContainers(draft.pod)) {
    draft.verdicts.set(container.name, { kind: "wait", reason, message });
  }
  note(draft, ms(draft.now + seconds(60)));
}
