import { type Ms, ms } from "../../../core/base/mod.ts";
import type { ObservedContainer } from "../../runtimes/mod.ts";
import { afterExit, pullIn, pullInFailure, pullInKill, pullInTime } from "./backoff.ts";
import {
  type ContainerMemory,
  containerMemory,
  type Exit,
  FIRST_RUN,
  type PodMemory,
} from "./memory.ts";
import type { PodView } from "./plan.ts";
import { currentOf, isLive, readySandbox } from "./view.ts";

/** What {@linkcode learn} needs beside memory and view. */
export interface LearnOptions {
  readonly now: Ms;
  /** Names of the init containers. */
  readonly inits: ReadonlySet<string>;
  /** Termination messages by container id. */
  readonly messages: Readonly<Record<string, string>>;
}

/** Folds what runs into what is remembered: runs seen, exits, lost containers, sandbox attempts. */
export function learn(memory: PodMemory, view: PodView, options: LearnOptions): PodMemory {
  const names = new Set([
    ...Object.keys(memory.containers),
    ...view.containers.map((one) => one.name),
  ]);
  const containers: Record<string, ContainerMemory> = {};
  for (const name of names) {
    const part = containerMemory(memory, name) ?? FIRST_RUN;
    const current = currentOf(view, name);
    const next = current ? seen(part, current, view, options) : lost(part, options.now);
    containers[name] = pullInKill(pullIn(next, options.now), options.now);
  }
  const ready = readySandbox(view);
  const attempts = view.sandboxes.map((one) => one.attempt + 1);
  const { sandboxFailure: sandbox, volumeFailure: volume, finish, ...rest } = memory;
  const sandboxFailure = ready ? undefined : pullInFailure(sandbox, options.now);
  const volumeFailure = pullInFailure(volume, options.now);
  return {
    ...rest,
    ...(sandboxFailure ? { sandboxFailure } : {}),
    ...(volumeFailure ? { volumeFailure } : {}),
    ...(finish ? { finish: pullInTime(finish, options.now) } : {}),
    containers,
    sandboxAttempt: Math.max(memory.sandboxAttempt, ...attempts),
    ips: ready && ready.ips.length > 0 ? ready.ips : memory.ips,
  };
}

function seen(
  before: ContainerMemory,
  current: ObservedContainer,
  view: PodView,
  options: LearnOptions,
): ContainerMemory {
  const part = current.attempt > before.attempt ? jumped(before, current.attempt) : before;
  if (isLive(current)) {
    if (part.id === current.id && !part.exit && !part.failure) return part;
    const { exit: _, failure: __, until: ___, ...rest } = part;
    return { ...rest, id: current.id };
  }
  if (current.state !== "exited" || current.attempt !== part.attempt) return part;
  if (part.exit?.id === current.id) return part;
  const exit = exitOf(current, options);
  const after = afterExit(part, exit, options.now);
  if (!options.inits.has(current.name) || exit.exitCode !== 0) return after;
  const sandbox = view.sandboxes.find((one) => one.id === current.sandboxId);
  return sandbox ? { ...after, doneFor: sandbox.attempt } : after;
}

/** A run that the memory does not know, e.g. after the state folder was restored from a copy. */
function jumped(part: ContainerMemory, attempt: number): ContainerMemory {
  const { exit, failure: _, until: __, id: ___, run: _run, ...rest } = part;
  const { resources: _resources, resizeFailure: _resize, ...kept } = rest;
  return { ...kept, attempt, ...(exit ? { last: exit } : {}) };
}

/**
 * A container that was seen and is no longer there: it has ended, nobody knows how. That is no
 * crash of its own (a wiped runtime loses its pods, so does an agent that was killed while it stopped
 * them), so it may run again at once, as with a kubelet.
 */
function lost(part: ContainerMemory, now: Ms): ContainerMemory {
  if (part.id === undefined || part.exit) return part;
  const { until: _, raisedAt: __, ...rest } = afterExit(part, {
    id: part.id,
    attempt: part.attempt,
    exitCode: 137,
    reason: "ContainerStatusUnknown",
    message: "The container could not be located: it was removed by somebody else",
    finishedAt: now,
  }, now);
  return { ...rest, delay: ms(0) };
}

function exitOf(container: ObservedContainer, options: LearnOptions): Exit {
  const exitCode = container.exitCode ?? 137;
  const message = options.messages[container.id] ?? container.message;
  return {
    id: container.id,
    attempt: container.attempt,
    exitCode,
    reason: container.reason || (exitCode === 0 ? "Completed" : "Error"),
    ...(message ? { message } : {}),
    ...(container.startedAt ? { startedAt: container.startedAt } : {}),
    finishedAt: container.finishedAt || options.now,
  };
}
