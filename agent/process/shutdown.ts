import {
  type Clock,
  type Logger,
  type Ms,
  ms,
  seconds,
  sleep,
  untilAborted,
} from "../../core/base/mod.ts";
import type { AgentOptions } from "../../core/parts/mod.ts";
import { CRITICAL_PRIORITY, type PodManager, priorityOf, type ShutdownGroup } from "../pods/mod.ts";

/** Options of {@linkcode endPodsFirst}. */
export interface ShutdownOptions {
  readonly options: AgentOptions;
  readonly pods: PodManager;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told when the machine goes down: the node is not ready from now on. */
  readonly onShutdown: () => void;
  /** Whether nothing is on its way to the hub, or there is none to be reached. */
  readonly reported: () => boolean;
  /** Aborts when the machine goes down. */
  readonly machineDown: AbortSignal;
}

/** Grace of a pod where the agent is to leave none running: somebody waits at a terminal. */
const STOP_PERIOD = seconds(10);
/** So long the last reports get to reach the hub. */
const REPORT_LIMIT = seconds(3);
const LOOK_EVERY = ms(100);

/**
 * A signal that aborts when `stop` has and the pods have ended that are to end before: all with
 * `--stop-pods`, and those of a machine that goes down in the order of their priority.
 */
export function endPodsFirst(context: ShutdownOptions, stop: AbortSignal): AbortSignal {
  const { options, pods, onShutdown, machineDown, log } = context;
  const done = new AbortController();
  const down = untilAborted(machineDown).then(async () => {
    log.warn("the machine goes down, ending pods");
    onShutdown();
    await pods.stopAll(shutdownGroups(options), { remove: false });
    await untilReported(context);
  });
  untilAborted(stop).then(async () => {
    if (machineDown.aborted) await down;
    else if (options["stop-pods"]) {
      await pods.stopAll([{ has: () => true, period: STOP_PERIOD }], { remove: true });
    }
    done.abort(stop.reason);
  });
  return done.signal;
}

/**
 * Ordinary pods first, then those that keep the node going, each with their part of the time: the
 * kubelet's `shutdownGracePeriod` and `shutdownGracePeriodCriticalPods`.
 */
export function shutdownGroups(
  options: Pick<AgentOptions, "shutdown-grace-period" | "shutdown-grace-period-critical-pods">,
): ShutdownGroup[] {
  // A kubelet without a period leaves the pods to the machine.
  if (options["shutdown-grace-period"] === 0) return [];
  const all: Ms = seconds(options["shutdown-grace-period"]);
  const critical: Ms = seconds(options["shutdown-grace-period-critical-pods"]);
  return [
    { has: (pod) => priorityOf(pod) < CRITICAL_PRIORITY, period: ms(all - critical) },
    { has: () => true, period: critical },
  ];
}

/** Waits until the hub knows how everything ended, for a short time and only where it listens. */
async function untilReported({ clock, reported }: ShutdownOptions): Promise<void> {
  const until = clock.monotonic() + REPORT_LIMIT;
  while (!reported() && clock.monotonic() < until) await sleep(clock, LOOK_EVERY);
}

/**
 * Aborts at SIGPWR, by which the systemd unit, or a UPS, says that the machine goes down. A logind
 * inhibitor would say it as well, but its lock is a file descriptor that D-Bus hands over, and Deno
 * takes none.
 */
export function machineDownSignal(): AbortSignal {
  const down = new AbortController();
  Deno.addSignalListener("SIGPWR", () => down.abort(new Error("the machine goes down")));
  return down.signal;
}
