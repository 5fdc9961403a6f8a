import type { Pod, PodSpec } from "../../../core/api/mod.ts";
import { type Ms, ms } from "../../../core/base/mod.ts";
import type { ObservedContainer } from "../../runtimes/mod.ts";
import { nextRun, restartAt } from "./backoff.ts";
import { goDuration } from "./go_duration.ts";
import { type ContainerMemory, type Exit, type Kill, runOf } from "./memory.ts";
import type { Role } from "./roles.ts";
import { isLive } from "./view.ts";

/** What is to become of one container. */
export type Verdict =
  | {
    readonly kind: "running";
    readonly container: ObservedContainer;
    /** What is shown in its place: it runs, but its start is not over or has gone wrong. */
    readonly as?: { readonly reason: string; readonly message?: string };
  }
  /** Is to be started now, as run `memory.attempt`; `containerId` when it was created before. */
  | { readonly kind: "start"; readonly containerId?: string; readonly sandboxId?: string }
  /** Is waited for, at most until `until`. */
  | {
    readonly kind: "wait";
    readonly reason: string;
    readonly message?: string;
    readonly until?: Ms;
  }
  /** Has ended and stays so. */
  | { readonly kind: "done"; readonly exit: Exit };

/** A verdict and the memory that goes with it. */
export interface Judged {
  readonly verdict: Verdict;
  readonly part: ContainerMemory;
}

/** Judges one container by what runs, what is remembered and the pod's restart policy. */
export function judge(
  input: {
    readonly pod: Pod;
    readonly name: string;
    readonly role: Role;
    readonly part: ContainerMemory;
    readonly current: ObservedContainer | undefined;
    readonly now: Ms;
  },
): Judged {
  const { pod, name, part, current, now } = input;
  if (current && isLive(current)) return { verdict: { kind: "running", container: current }, part };
  if (part.exit) {
    const kill = runOf(part, part.exit.id).kill?.why;
    if (!restarts(pod.spec, part.exit, { role: input.role, kill })) {
      return { verdict: { kind: "done", exit: part.exit }, part };
    }
    // The new definition has not failed yet: its back-off begins from the start.
    if (kill === "changed") {
      return { verdict: { kind: "start" }, part: nextRun({ ...part, delay: ms(0) }, now) };
    }
    const until = restartAt(part, now);
    if (until > now) {
      return { part, verdict: { ...crashLoop(pod, name, part), until } };
    }
    return { verdict: { kind: "start" }, part: nextRun(part, now) };
  }
  if (part.failure && part.failure.until > now) {
    const { reason, message, until } = part.failure;
    return { verdict: { kind: "wait", reason, message, until }, part };
  }
  if (current?.state === "created" && current.attempt === part.attempt) {
    const { id: containerId, sandboxId } = current;
    return { verdict: { kind: "start", containerId, sandboxId }, part };
  }
  return { verdict: { kind: "start" }, part };
}

/**
 * Whether a container that ended so is started again: by the pod's policy, init containers only
 * after a failure, sidecars always, debuggers never. What the node itself has ended to start it
 * anew is started whatever its exit code says.
 */
export function restarts(
  spec: PodSpec,
  exit: Pick<Exit, "exitCode">,
  how: { readonly role: Role; readonly kill?: Kill["why"] | undefined },
): boolean {
  const { role, kill } = how;
  if (role === "debug") return false;
  if (role === "sidecar" || kill === "changed") return true;
  const policy = spec.restartPolicy ?? "Always";
  if (policy === "Never") return false;
  return (policy === "Always" && role === "main") || exit.exitCode !== 0 || kill !== undefined;
}

function crashLoop(
  pod: Pod,
  name: string,
  part: ContainerMemory,
): { kind: "wait"; reason: string; message: string } {
  const { namespace = "default", name: podName, uid } = pod.metadata;
  const wait = goDuration(part.delay);
  return {
    kind: "wait",
    reason: "CrashLoopBackOff",
    message:
      `back-off ${wait} restarting failed container=${name} pod=${podName}_${namespace}(${uid})`,
  };
}
