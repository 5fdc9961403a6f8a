import { type Ms, ms, seconds } from "../../../core/base/mod.ts";
import type { ObservedContainer } from "../../runtimes/mod.ts";
import { type Draft, note } from "./draft.ts";
import { containerMemory, FIRST_RUN, type Kill, runOf, withContainer } from "./memory.ts";
import type { PodEvent } from "./plan.ts";
import { needsRestart, resize, resizeOf } from "./resize.ts";
import { fieldPathOf, type PodContainer, waitingReason } from "./roles.ts";
import { stopSteps } from "./stopping.ts";
import { judge, type Judged, restarts, type Verdict } from "./verdict.ts";
import { currentOf } from "./view.ts";

/** A container that was judged. */
export type Tended = PodContainer & Judged;

/**
 * Judges one container and looks after it while it runs: its `postStart` hook, the end of a run
 * that its probes or a change of its definition ask for, its resources.
 */
export function tend(draft: Draft, which: PodContainer): Tended {
  const { pod, view, now, memory } = draft;
  const { container: { name }, role } = which;
  const part = containerMemory(memory, name) ?? FIRST_RUN;
  const current = currentOf(view, name);
  const judged = judge({ pod, name, role, part, current, now });
  announce(draft, which, judged);
  const verdict = judged.verdict.kind === "running" && judged.verdict.container.state === "running"
    ? keepRunning(draft, which, judged.verdict.container)
    : judged.verdict;
  const kept = verdict.kind === "running"
    ? containerMemory(draft.memory, name) ?? part
    : judged.part;
  return keep(draft, { ...which, part: kept, verdict });
}

/** Remembers a judgement and shows it. */
export function keep(draft: Draft, tended: Tended): Tended {
  const { container: { name }, part, verdict } = tended;
  draft.memory = withContainer(draft.memory, name, part);
  draft.verdicts.set(name, verdict);
  if (verdict.kind === "wait") note(draft, verdict.until);
  return tended;
}

/** Whether a container runs whose `postStart` hook is not over. */
export function awaitsPostStart({ container, part, verdict }: Tended): boolean {
  if (verdict.kind !== "running" || !container.lifecycle?.postStart) return false;
  const run = runOf(part, verdict.container.id);
  return !run.postStart && !run.kill;
}

function keepRunning(draft: Draft, which: PodContainer, current: ObservedContainer): Verdict {
  const run = runOf(partOf(draft, which), current.id);
  const kill = run.kill ?? newKill(draft, which, current);
  if (kill) return end(draft, current, kill);
  if (which.container.lifecycle?.postStart && !run.postStart && !postStart(draft, which, current)) {
    return { kind: "running", container: current, as: { reason: waitingReason(draft.pod) } };
  }
  resize(draft, which, current);
  return { kind: "running", container: current };
}

/** Runs the `postStart` hook. Returns whether it is over. */
function postStart(draft: Draft, which: PodContainer, current: ObservedContainer): boolean {
  const { name } = which.container;
  const part = partOf(draft, which);
  const view = draft.env.hooks[current.id];
  if (view?.hook === "postStart" && view.state === "done") {
    const run = { ...runOf(part, current.id), postStart: "done" as const };
    draft.memory = withContainer(draft.memory, name, { ...part, run });
    return true;
  }
  if (!view) {
    const limit = HOOK_LIMIT;
    draft.actions.push({
      type: "hook",
      hook: "postStart",
      container: name,
      containerId: current.id,
      limit,
    });
  }
  return false;
}

/** Kubernetes sets `postStart` no limit; it ends with its container at the latest. */
const HOOK_LIMIT = seconds(24 * 3600);

/** Ends a run, to start it anew where the pod's policy says so. */
function end(draft: Draft, current: ObservedContainer, kill: Kill): Verdict {
  const steps = stopSteps({ ...draft, time: kill }, current);
  draft.memory = steps.memory;
  draft.actions.push(...steps.actions);
  // What it is ended for was said when that was decided.
  draft.events.push(...steps.events.filter((event) => event.reason !== "Killing"));
  note(draft, steps.next);
  if (kill.why !== "postStart") return { kind: "running", container: current };
  const { message } = kill;
  const as = { reason: "PostStartHookError", ...(message ? { message } : {}) };
  return { kind: "running", container: current, as };
}

/** Whether a run is to be ended; if so, that is remembered and told. */
function newKill(draft: Draft, which: PodContainer, current: ObservedContainer): Kill | undefined {
  const found = killOf(draft, which, current);
  if (!found) return undefined;
  const { text, ...rest } = found;
  const kill: Kill = { ...rest, deadline: ms(draft.now + rest.grace) };
  const part = partOf(draft, which);
  const run = { ...runOf(part, current.id), kill };
  draft.memory = withContainer(draft.memory, which.container.name, { ...part, run });
  const fieldPath = fieldPathOf(which);
  if (kill.why === "postStart") {
    // Not why, as in Kubernetes: what a hook's server answers may be secret.
    const message = "PostStartHook failed";
    draft.events.push({ type: "Warning", reason: "FailedPostStartHook", message, fieldPath });
  }
  draft.events.push({ type: "Normal", reason: "Killing", message: text, fieldPath });
  return kill;
}

type Cause = Pick<Kill, "why" | "message"> & { readonly grace: Ms; readonly text: string };

function killOf(
  draft: Draft,
  which: PodContainer,
  current: ObservedContainer,
): Cause | undefined {
  const { container, role } = which;
  const { grace } = draft.memory;
  if (role === "debug" || role === "init") return undefined;
  const named = `Container ${container.name}`;
  if (current.image !== container.image) {
    return { why: "changed", grace, text: `${named} definition changed, will be restarted` };
  }
  const resized = resizeOf(partOf(draft, which), container);
  if (needsRestart(container, resized)) {
    return { why: "changed", grace, text: `${named} resize requires restart` };
  }
  const hook = draft.env.hooks[current.id];
  if (hook?.hook === "postStart" && hook.state === "failed") {
    const { message } = hook;
    return {
      why: "postStart",
      grace,
      text: "FailedPostStartHook",
      ...(message ? { message } : {}),
    };
  }
  const probes = draft.env.probes[container.name];
  if (probes?.containerId !== current.id || !probes.unhealthy) return undefined;
  const { probe: why } = probes.unhealthy;
  const probe = why === "liveness" ? container.livenessProbe : container.startupProbe;
  const own = probe?.terminationGracePeriodSeconds;
  const again = restarts(draft.pod.spec, { exitCode: 1 }, { role, kill: why });
  return {
    why,
    grace: own === undefined ? grace : seconds(own),
    text: `${named} failed ${why} probe${again ? ", will be restarted" : ""}`,
  };
}

/** Tells of a crash loop once for every exit. */
function announce(draft: Draft, which: PodContainer, { verdict, part }: Judged): void {
  if (verdict.kind !== "wait" || verdict.reason !== "CrashLoopBackOff" || !part.exit) return;
  const { name: container } = which.container;
  if (containerMemory(draft.before, container)?.exit?.id === part.exit.id) return;
  const { name, namespace = "default", uid } = draft.pod.metadata;
  draft.events.push(
    {
      type: "Warning",
      reason: "BackOff",
      message:
        `Back-off restarting failed container ${container} in pod ${name}_${namespace}(${uid})`,
      fieldPath: fieldPathOf(which),
    } satisfies PodEvent,
  );
}

function partOf(draft: Draft, { container }: PodContainer) {
  return containerMemory(draft.memory, container.name) ?? FIRST_RUN;
}
