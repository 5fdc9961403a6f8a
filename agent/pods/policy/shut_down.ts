import type { Pod } from "../../../core/api/mod.ts";
import { type Ms, ms, seconds } from "../../../core/base/mod.ts";
import { nextRun } from "./backoff.ts";
import { learn } from "./learn.ts";
import { containerMemory, type PodMemory, withContainer } from "./memory.ts";
import type { PodView } from "./plan.ts";
import { initNames } from "./roles.ts";
import { isLive, markCut } from "./view.ts";

/** What a pod says that ended with the gateway: the words of Kubernetes' graceful node shutdown. */
export const SHUT_DOWN = {
  reason: "Terminated",
  message: "Pod was terminated in response to imminent node shutdown.",
} as const;

/** The longest grace at a shutdown: the person who pressed Ctrl-C waits for it. */
const GRACE_CAP = seconds(10);

/** How long a pod's containers get to end by themselves at a shutdown: its own grace, capped. */
export function shutDownGrace(memory: PodMemory | undefined, now: Ms): Ms {
  const left = memory?.ending ? memory.ending.deadline - now : Infinity;
  return ms(Math.max(0, Math.min(GRACE_CAP, memory?.grace ?? GRACE_CAP, left)));
}

/**
 * What is to be remembered of a pod whose containers the agent stopped because it ends itself:
 * how they ended, and what follows for the next start. A container that would be restarted runs
 * again without a back-off, as it did not fail; a pod that restarts nothing has failed, with
 * {@linkcode SHUT_DOWN}. A pod that had ended, that is being deleted, or of which something still
 * runs is only learnt about.
 */
export function shutDown(
  memory: PodMemory,
  input: {
    readonly pod: Pod | undefined;
    /** What ran before the stop. */
    readonly before: PodView;
    /** What is there after it. */
    readonly after: PodView;
    readonly now: Ms;
    /** Termination messages by container id. */
    readonly messages: Readonly<Record<string, string>>;
  },
): PodMemory {
  const { pod, before, after, now, messages } = input;
  const learnt = learn(memory, markCut(after, memory), { now, inits: initNames(pod), messages });
  const stopped = before.containers.filter(isLive);
  const over = memory.phase === "Succeeded" || memory.phase === "Failed" || memory.ending ||
    pod?.metadata.deletionTimestamp;
  if (!pod || over || stopped.length === 0 || after.containers.some(isLive)) return learnt;
  if (pod.spec.restartPolicy === "Never") return { ...learnt, phase: "Failed", ...SHUT_DOWN };
  let next = learnt;
  for (const { name, id } of stopped) {
    const part = containerMemory(learnt, name);
    if (part?.exit?.id !== id) continue;
    next = withContainer(next, name, nextRun({ ...part, delay: ms(0) }, now));
  }
  return next;
}
