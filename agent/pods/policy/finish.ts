import { endOf, isFinalPhase } from "../../../core/api/mod.ts";
import { type Ms, ms, seconds } from "../../../core/base/mod.ts";
import { type Draft, finishPlan, note, tellOnce } from "./draft.ts";
import { containerMemory, type Finish, FIRST_RUN, type PodMemory } from "./memory.ts";
import type { Plan } from "./plan.ts";
import { podContainers, waitingReason } from "./roles.ts";
import { stopAllSteps, type StopTime } from "./stopping.ts";
import { currentOf, isLive } from "./view.ts";

/** What a pod says that ran longer than it may. */
const DEADLINE = {
  reason: "DeadlineExceeded",
  message: "Pod was active on the node longer than the specified deadline",
} as const;

/** Notes how the pod ends; the first word holds. */
export function setFinish(
  draft: Draft,
  finish: Omit<Finish, "deadline" | "grace"> & { readonly grace?: Ms | undefined },
): void {
  if (draft.memory.finish) return;
  const { grace = draft.memory.grace, ...rest } = finish;
  const deadline = ms(draft.now + grace);
  draft.memory = { ...draft.memory, finish: { ...rest, deadline, grace } };
}

/**
 * Ends a pod of which somebody has told the cluster that it has ended, one that the node wants to end,
 * and one that has run longer than it may.
 */
export function checkFinish(draft: Draft): void {
  const { pod, env, memory, now } = draft;
  const { phase, ...words } = endOf(pod.status ?? {});
  if (phase !== undefined) {
    setFinish(draft, { phase, ...words, told: true });
    return;
  }
  if (env.terminate) {
    setFinish(draft, { phase: "Failed", ...env.terminate });
    return;
  }
  const limit = pod.spec.activeDeadlineSeconds;
  if (limit === undefined || limit === null) return;
  const at = ms(memory.startTime + seconds(limit));
  if (at > now) return note(draft, at);
  setFinish(draft, { phase: "Failed", ...DEADLINE });
  tellOnce(draft, DEADLINE.reason, { type: "Normal", ...DEADLINE });
}

/** Stops what still runs of a pod that has come to its end; then the end is its phase. */
export function finishPod(draft: Draft, finish: Finish): Plan {
  if (stopEverything(draft, finish)) {
    showAll(draft);
    return finishPlan(draft);
  }
  const { phase, reason, message } = finish;
  draft.memory = {
    ...draft.memory,
    phase,
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
  };
  return rest(draft);
}

/** A pod that has run to its end: nothing may run any more; containers stay until it is deleted. */
export function rest(draft: Draft): Plan {
  const { memory, now } = draft;
  const live = stopEverything(draft, memory.finish ?? { deadline: ms(now + memory.grace) });
  showAll(draft);
  if (!live) {
    endSandboxes(draft);
    const ready = draft.view.sandboxes.some((one) => one.ready);
    if (!ready && !memory.released) draft.actions.push({ type: "release" });
  }
  const plan = finishPlan(draft);
  const known = live || Object.values(plan.memory.containers).some((one) => one.exit ?? one.last);
  const { status } = draft.pod;
  // Its memory was lost: what was reported says more than what can be made up now.
  return known || !status || status.phase !== plan.memory.phase ? plan : { ...plan, status };
}

/** Ends the network of a pod, or takes away all that is left of it where the agent leaves nothing. */
export function endSandboxes(draft: Draft): void {
  const { view: { sandboxes }, env: { shutdown } } = draft;
  for (const { id, ready } of sandboxes) {
    if (shutdown?.remove) draft.actions.push({ type: "remove-sandbox", sandboxId: id });
    else if (ready) draft.actions.push({ type: "stop-sandbox", sandboxId: id });
  }
}

/** Turns a pod away that is new here: it has failed, and nothing of it is started. */
export function reject(draft: Draft): boolean {
  const { env: { rejection }, memory, view } = draft;
  if (memory.admitted) return false;
  const begun = view.sandboxes.length + view.containers.length > 0 || memory.sandboxAttempt > 0;
  if (!rejection || begun) {
    draft.memory = { ...memory, admitted: true };
    return false;
  }
  const { reason } = rejection;
  const message = `Pod was rejected: ${rejection.message}`;
  draft.memory = { ...memory, phase: "Failed", reason, message, rejected: true };
  draft.events.push({ type: "Warning", reason, message: rejection.message });
  return true;
}

/** Returns whether something still lives. */
export function stopEverything(draft: Draft, time: StopTime): boolean {
  const { live, ...steps } = stopAllSteps({ ...draft, time });
  draft.memory = steps.memory;
  const under = new Set(draft.actions.map((one) => one.type === "stop" && one.containerId));
  draft.actions.push(
    ...steps.actions.filter((one) => one.type !== "stop" || !under.has(one.containerId)),
  );
  draft.events.push(...steps.events);
  note(draft, steps.next);
  return live;
}

/** Shows every container as it is, without wanting anything of it. Returns whether one is live. */
export function showAll(draft: Draft): boolean {
  const { pod, memory, view } = draft;
  let any = false;
  for (const { container: { name } } of podContainers(pod)) {
    const part = containerMemory(memory, name) ?? FIRST_RUN;
    const current = currentOf(view, name);
    const exit = part.exit ?? part.last;
    if (current && isLive(current)) {
      any = true;
      draft.verdicts.set(name, { kind: "running", container: current });
    } else if (exit) {
      draft.verdicts.set(name, { kind: "done", exit });
    } else if (draft.verdicts.get(name)?.kind !== "wait") {
      draft.verdicts.set(name, { kind: "wait", reason: waitingReason(pod) });
    }
  }
  return any;
}

/** Whether the pod's phase is one of the last two. */
export function isTerminal(memory: PodMemory): boolean {
  return isFinalPhase(memory.phase);
}
