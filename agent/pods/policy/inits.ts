import type { Container } from "../../../core/api/mod.ts";
import { nextRun } from "./backoff.ts";
import type { Draft } from "./draft.ts";
import { containerMemory, FIRST_RUN } from "./memory.ts";
import { isSidecar, type PodContainer, waitingReason } from "./roles.ts";
import type { Target } from "./starts.ts";
import { isStarted } from "./started.ts";
import { keep, tend } from "./tend.ts";
import { readySandbox } from "./view.ts";

/** How far a pod's init containers are. */
export interface InitsWalk {
  /** One has failed for good. */
  readonly failed: boolean;
  /** The mains may start. */
  readonly open: boolean;
  /** Init containers and sidecars to start now. */
  readonly due: Target[];
}

/** What the mains do. */
interface Mains {
  /** One runs, so the pod has been initialized. */
  readonly live: boolean;
  /** One is to start, so the pod has to be initialized. */
  readonly due: boolean;
}

/**
 * Goes through the init containers in their order, up to the first that has not done its part in the
 * present sandbox. A sidecar has when it has started once; from then on it is kept running.
 */
export function walkInits(draft: Draft, mains: Mains): InitsWalk {
  const due: Target[] = [];
  let open = true;
  for (const container of draft.pod.spec.initContainers ?? []) {
    const step: Step = { mains, open, due };
    const done: boolean | "failed" = isSidecar(container)
      ? stepSidecar(draft, container, step)
      : stepInit(draft, container, step);
    if (done === "failed") return { failed: true, open: false, due: [] };
    open &&= done;
  }
  return { failed: false, open: open || mains.live, due };
}

interface Step {
  readonly mains: Mains;
  /** All before it have done their part. */
  readonly open: boolean;
  readonly due: Target[];
}

/** Returns whether the next one may go on. */
function stepSidecar(draft: Draft, container: Container, { mains, open, due }: Step): boolean {
  const attempt = readySandbox(draft.view)?.attempt;
  const part = containerMemory(draft.memory, container.name) ?? FIRST_RUN;
  const passed = mains.live || (attempt !== undefined && part.doneFor === attempt);
  const which: PodContainer = { container, role: "sidecar" };
  const runs = draft.view.containers.some((one) =>
    one.name === container.name && one.state === "running"
  );
  if (!runs && !passed && !(open && mains.due)) {
    wait(draft, which);
    return !mains.due;
  }
  const tended = tend(draft, which);
  const { verdict } = tended;
  if (verdict.kind === "start") due.push(tended);
  if (verdict.kind !== "running" || attempt === undefined) return passed;
  if (passed && tended.part.doneFor === attempt) return true;
  if (!passed && !isStarted(draft, tended)) return false;
  keep(draft, { ...tended, part: { ...tended.part, doneFor: attempt } });
  return true;
}

/** Returns whether the next one may go on, `failed` when it never will. */
function stepInit(
  draft: Draft,
  container: Container,
  { mains, open, due }: Step,
): boolean | "failed" {
  const attempt = readySandbox(draft.view)?.attempt;
  const part = containerMemory(draft.memory, container.name) ?? FIRST_RUN;
  const which: PodContainer = { container, role: "init" };
  const idle = mains.live || !mains.due;
  if (!open) {
    wait(draft, which);
    return false;
  }
  if (part.exit?.exitCode === 0 && (idle || part.doneFor === attempt)) {
    keep(draft, { ...which, part, verdict: { kind: "done", exit: part.exit } });
    return true;
  }
  if (idle) {
    wait(draft, which);
    return true;
  }
  if (part.exit?.exitCode === 0) {
    // The sandbox it prepared is gone: it runs again for the new one, without a back-off.
    const { delay, raisedAt } = part;
    const again = { ...nextRun(part, draft.now), delay, ...(raisedAt ? { raisedAt } : {}) };
    due.push(keep(draft, { ...which, part: again, verdict: { kind: "start" } }));
    return false;
  }
  const tended = tend(draft, which);
  if (tended.verdict.kind === "done") return "failed";
  if (tended.verdict.kind === "start") due.push(tended);
  return false;
}

function wait(draft: Draft, which: PodContainer): void {
  const part = containerMemory(draft.memory, which.container.name) ?? FIRST_RUN;
  keep(draft, { ...which, part, verdict: { kind: "wait", reason: waitingReason(draft.pod) } });
}
