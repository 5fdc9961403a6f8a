import { type Ms, ms } from "../../../core/base/mod.ts";
import { nextRun } from "./backoff.ts";
import { type Draft, finishPlan } from "./draft.ts";
import { endSandboxes, finishPod, setFinish, showAll, stopEverything } from "./finish.ts";
import { SHUT_DOWN } from "./halted.ts";
import { containerMemory, type PodMemory, withContainer } from "./memory.ts";
import type { Plan } from "./plan.ts";
import { podContainers } from "./roles.ts";
import { isLive } from "./view.ts";

/** What is said of a pod that came too late: it starts when the node is up again. */
const LATE = { reason: "NodeShutdown", message: "the node is shutting down" } as const;

/**
 * What a node that goes down does with a pod: nothing is started any more, and when it is the pod's
 * turn it ends as ever, with its hooks. A pod that restarts nothing has failed then; any other runs
 * again at the next start, without a hub if need be. `undefined` while it is not its turn and it runs.
 */
export function shutDownPod(draft: Draft): Plan | undefined {
  const { env: { shutdown }, pod, view, now } = draft;
  if (!shutdown) return undefined;
  const live = view.containers.filter(isLive);
  const { halted } = draft.memory;
  if (live.length === 0 && !halted) return hold(draft);
  if (shutdown.grace === undefined) return undefined;
  const grace = ms(Math.min(shutdown.grace, draft.memory.grace));
  if (pod.spec.restartPolicy === "Never") {
    const condition = { type: "DisruptionTarget", reason: "TerminationByKubelet" };
    const { message } = SHUT_DOWN;
    setFinish(draft, {
      phase: "Failed",
      ...SHUT_DOWN,
      grace,
      condition: { ...condition, message },
    });
    return draft.memory.finish && finishPod(draft, draft.memory.finish);
  }
  const time = halted ?? { deadline: ms(now + grace), grace, ids: live.map(({ id }) => id) };
  draft.memory = { ...draft.memory, halted: time };
  const stopping = stopEverything(draft, time);
  showAll(draft);
  if (!stopping) endSandboxes(draft);
  return finishPlan(draft);
}

/** Nothing of the pod runs, and nothing is begun. */
function hold(draft: Draft): Plan {
  for (const { container } of podContainers(draft.pod)) {
    draft.verdicts.set(container.name, { kind: "wait", ...LATE });
  }
  showAll(draft);
  endSandboxes(draft);
  return finishPlan(draft);
}

/**
 * The memory of a pod that was halted, now that the node is up again: what was stopped then did not
 * fail, so it runs again at once, whatever it ended with.
 */
export function resumePod(memory: PodMemory, now: Ms): PodMemory {
  const { halted, ...rest } = memory;
  if (!halted) return memory;
  let next: PodMemory = rest;
  for (const name of Object.keys(memory.containers)) {
    const part = containerMemory(memory, name);
    if (!part?.exit || !halted.ids.includes(part.exit.id)) continue;
    next = withContainer(next, name, nextRun({ ...part, delay: ms(0) }, now));
  }
  return next;
}
