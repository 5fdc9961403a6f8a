import { minutes, type Ms, ms, seconds } from "../../../core/base/mod.ts";
import type { ContainerMemory, Exit, Failure } from "./memory.ts";

/** Kubernetes' container and image back-off: 10 s, doubling, at most 5 minutes. */
export const RESTART_BASE: Ms = seconds(10);
/** See {@linkcode RESTART_BASE}. */
export const RESTART_CAP: Ms = minutes(5);
/** A container that ran this long after its back-off was raised starts from the beginning. */
export const RESTART_RESET: Ms = minutes(10);

/** The wait before try number `count + 1` after `count` failures in a row (count from 1). */
export function failureDelay(count: number, base: Ms = RESTART_BASE, cap: Ms = RESTART_CAP): Ms {
  return ms(Math.min(cap, base * 2 ** Math.min(Math.max(0, count - 1), 30)));
}

/** Counts one more failure. */
export function nextFailure(
  before: Failure | undefined,
  failure: { reason: string; message: string },
  options: { now: Ms; base?: Ms; cap?: Ms },
): Failure {
  const count = (before?.count ?? 0) + 1;
  const delay = failureDelay(count, options.base, options.cap);
  const { reason, message } = failure;
  return { reason, message, count, at: options.now, until: ms(options.now + delay) };
}

/**
 * Remembers that the present run has ended, and from when it may be restarted: at once after the
 * first exit or after ten quiet minutes, else `delay` after it finished (as the kubelet does).
 */
export function afterExit(part: ContainerMemory, exit: Exit, now: Ms): ContainerMemory {
  const { failure: _, until: __, ...rest } = part;
  const quiet = part.raisedAt === undefined || exit.finishedAt - part.raisedAt > RESTART_RESET;
  if (quiet) return { ...rest, id: exit.id, exit, delay: ms(0) };
  return { ...rest, id: exit.id, exit, until: ms(Math.min(exit.finishedAt, now) + part.delay) };
}

/** The memory of the next run: the count goes up, and so does the back-off for the run after it. */
export function nextRun(part: ContainerMemory, now: Ms): ContainerMemory {
  const delay = part.delay === 0 ? RESTART_BASE : Math.min(RESTART_CAP, part.delay * 2);
  return {
    attempt: part.attempt + 1,
    ...(part.exit ? { last: part.exit } : part.last ? { last: part.last } : {}),
    delay: ms(delay),
    raisedAt: now,
    ...(part.doneFor === undefined ? {} : { doneFor: part.doneFor }),
    // It starts with what was granted, whatever its spec says by then.
    ...(part.resources ? { resources: part.resources } : {}),
  };
}

/** When the next run may start. */
export function restartAt(part: ContainerMemory, now: Ms): Ms {
  return part.until ?? now;
}

/**
 * Corrects a wait after the clock was set back: nothing waits longer than its back-off from now.
 * Returns the same object when nothing is wrong, so that no row is written.
 */
export function pullIn(part: ContainerMemory, now: Ms): ContainerMemory {
  const failure = pullInFailure(part.failure, now);
  const resizeFailure = pullInFailure(part.resizeFailure, now);
  const until = part.until !== undefined && part.until - now > part.delay
    ? ms(now + part.delay)
    : part.until;
  const same = failure === part.failure && resizeFailure === part.resizeFailure;
  if (same && until === part.until) return part;
  return {
    ...part,
    ...(failure ? { failure } : {}),
    ...(resizeFailure ? { resizeFailure } : {}),
    ...(until === undefined ? {} : { until }),
  };
}

/** The same for a failed step: its wait begins again where the clock is now. */
export function pullInFailure(failure: Failure | undefined, now: Ms): Failure | undefined {
  if (!failure || now >= failure.at) return failure;
  return { ...failure, at: now, until: ms(now + failure.until - failure.at) };
}

/** The same for a deadline: it is no further away than its grace. */
export function pullInTime<T extends { readonly deadline: Ms; readonly grace: Ms }>(
  time: T,
  now: Ms,
): T {
  const deadline = ms(now + time.grace);
  return time.deadline <= deadline ? time : { ...time, deadline };
}

/** The same for the end of a run. */
export function pullInKill(part: ContainerMemory, now: Ms): ContainerMemory {
  const { run } = part;
  if (!run?.kill) return part;
  const kill = pullInTime(run.kill, now);
  return kill === run.kill ? part : { ...part, run: { ...run, kill } };
}
