import type { Pod } from "../../core/api/mod.ts";
import {
  type Clock,
  deadline,
  errorText,
  type Logger,
  type Ms,
  ms,
  seconds,
  sleep,
} from "../../core/base/mod.ts";
import { LABEL, type Observation, type Runtime } from "../runtimes/mod.ts";
import type { Shutdown } from "./policy/plan.ts";
import { isLive } from "./policy/view.ts";

/** Pods that end together when the node goes down. */
export interface ShutdownGroup {
  /** Whether a pod is one of them; groups come one after the other, and stay. */
  readonly has: (pod: Pod) => boolean;
  /** How long their containers get at most; a pod with a shorter grace of its own gets that. */
  readonly period: Ms;
}

/** What {@linkcode stopAll} works with. */
export interface StopAllOptions {
  readonly runtime: Runtime;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Nothing is to be left in the runtime. */
  readonly remove: boolean;
  /** The pods of this node. */
  readonly pods: () => readonly Pod[];
  /** Says from now on what becomes of each pod. */
  readonly order: (decide: (pod: Pod) => Shutdown) => void;
}

/** What the runtime may take beyond a group's period: a KILL is quick, its report need not be. */
const MARGIN = seconds(8);
const LOOK_EVERY = ms(250);

/**
 * Ends the pods of this node, one group after the other, each as soon as the one before has ended or
 * had its time. From the first moment on nothing new is started. Never throws: what cannot be ended
 * is logged and runs on.
 */
export async function stopAll(
  options: StopAllOptions,
  groups: readonly ShutdownGroup[],
): Promise<void> {
  const { order, remove, clock, log, pods } = options;
  for (const [at, { period }] of groups.entries()) {
    const due = groups.slice(0, at + 1);
    order((pod) => {
      const group = due.find((one) => one.has(pod));
      return { ...(group ? { grace: group.period } : {}), ...(remove ? { remove } : {}) };
    });
    const uids = new Set(
      pods().filter((pod) => due.some((one) => one.has(pod))).map(({ metadata }) => metadata.uid),
    );
    const until = ms(clock.monotonic() + period + MARGIN);
    await untilStopped(options, { until, due: (uid) => uids.has(uid) });
  }
  if (remove) await removeRest(options);
  log.info("pods stopped", { groups: groups.length });
}

async function untilStopped(
  options: StopAllOptions,
  wait: { readonly until: Ms; readonly due: (uid: string) => boolean },
): Promise<void> {
  const { clock, log } = options;
  let problem = "they take too long";
  while (clock.monotonic() < wait.until) {
    try {
      const seen = await look(options, ms(wait.until - clock.monotonic()));
      const live = seen.containers.filter((one) => wait.due(one.podUid) && isLive(one));
      const left = options.remove ? seen.sandboxes.filter((one) => wait.due(one.podUid)) : [];
      if (live.length + left.length === 0) return;
    } catch (error) {
      problem = errorText(error);
    }
    await sleep(clock, LOOK_EVERY);
  }
  log.error("some pods may still run", { error: problem });
}

/** What runs of this node. */
async function look({ runtime, clock, nodeName }: StopAllOptions, limit: Ms): Promise<Observation> {
  using late = deadline(clock, limit, () => new Error("the runtime does not answer"));
  const all = await runtime.observe(late.signal);
  return {
    sandboxes: all.sandboxes.filter(({ labels }) => labels[LABEL.node] === nodeName),
    containers: all.containers.filter(({ labels }) => labels[LABEL.node] === nodeName),
  };
}

/** Takes away what no pod object tells of. */
async function removeRest(options: StopAllOptions): Promise<void> {
  const { runtime, clock, log } = options;
  try {
    const { sandboxes } = await look(options, MARGIN);
    using late = deadline(clock, MARGIN, () => new Error("the runtime does not answer"));
    await Promise.all(sandboxes.map(async ({ id }) => {
      await runtime.stopSandbox(id, late.signal);
      await runtime.removeSandbox(id, late.signal);
    }));
  } catch (error) {
    log.error("some pods may still run", { error: errorText(error) });
  }
}
