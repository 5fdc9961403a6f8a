import { minutes, type Ms, ms, seconds } from "../../../core/base/mod.ts";
import { nextFailure } from "./backoff.ts";
import {
  containerMemory,
  type Failure,
  FIRST_RUN,
  type PodMemory,
  withContainer,
} from "./memory.ts";
import type { Action, Outcome, PodEvent } from "./plan.ts";

/** Wait for a name that the runtime still holds from a call that was cut. */
const SOFT = ms(500);

/** Remembers that an action did what it should. */
export function recordDone(memory: PodMemory, action: Action): PodMemory {
  if (action.type === "clean") return { ...memory, cleaned: true };
  if (action.type === "release") return { ...memory, released: true };
  if (action.type === "resize") {
    const part = containerMemory(memory, action.container) ?? FIRST_RUN;
    const { resizeFailure: _, ...rest } = part;
    return withContainer(memory, action.container, { ...rest, resources: action.resources });
  }
  if (action.type !== "mount" || !memory.volumeFailure) return memory;
  const { volumeFailure: _, ...rest } = memory;
  return rest;
}

/** Remembers that an action failed: when it may be tried again, and what users are told. */
export function recordFailure(
  memory: PodMemory,
  outcome: Outcome,
  now: Ms,
): { memory: PodMemory; events: PodEvent[] } {
  const { action } = outcome;
  switch (action.type) {
    case "run-sandbox": {
      const sandboxFailure = failureOf(memory.sandboxFailure, outcome, {
        now,
        base: seconds(1),
        cap: minutes(1),
      });
      const message = `Failed to create pod sandbox: ${outcome.message}`;
      return told({ ...memory, sandboxFailure }, outcome, {
        type: "Warning",
        reason: "FailedCreatePodSandBox",
        message,
      });
    }
    case "mount": {
      const volumeFailure = failureOf(memory.volumeFailure, outcome, {
        now,
        base: seconds(0.5),
        cap: minutes(2),
      });
      const { message } = outcome;
      return told({ ...memory, volumeFailure }, outcome, {
        type: "Warning",
        reason: "FailedMount",
        message,
      });
    }
    case "start": {
      const part = containerMemory(memory, action.container) ?? FIRST_RUN;
      if (action.containerId) return adopted(memory, action, now);
      const failure = failureOf(part.failure, outcome, { now });
      const next = withContainer(memory, action.container, { ...part, failure });
      return told(next, outcome, {
        type: "Warning",
        reason: "Failed",
        message: `Error: ${outcome.message}`,
        fieldPath: `spec.containers{${action.container}}`,
      });
    }
    case "resize": {
      const part = containerMemory(memory, action.container) ?? FIRST_RUN;
      const resizeFailure = failureOf(part.resizeFailure, outcome, { now });
      return {
        memory: withContainer(memory, action.container, { ...part, resizeFailure }),
        events: [],
      };
    }
    default:
      return { memory, events: [] };
  }
}

/**
 * A container that was created before this agent began could not be started: whoever created it may
 * still be starting it, as far as the runtime knows. It is looked at again, and then made anew.
 */
function adopted(
  memory: PodMemory,
  { container }: Action & { type: "start" },
  now: Ms,
): { memory: PodMemory; events: PodEvent[] } {
  const part = containerMemory(memory, container) ?? FIRST_RUN;
  const failure: Failure = {
    reason: "ContainerCreating",
    message: "",
    count: part.failure?.count ?? 0,
    at: now,
    until: ms(now + SOFT),
  };
  return { memory: withContainer(memory, container, { ...part, failure }), events: [] };
}

function failureOf(
  before: Failure | undefined,
  outcome: Outcome,
  options: { now: Ms; base?: Ms; cap?: Ms },
): Failure {
  if (!outcome.soft) return nextFailure(before, outcome, options);
  const { reason, message } = outcome;
  const until = ms(options.now + SOFT);
  return { reason, message, count: before?.count ?? 0, at: options.now, until };
}

function told(
  memory: PodMemory,
  outcome: Outcome,
  event: PodEvent,
): { memory: PodMemory; events: PodEvent[] } {
  return { memory, events: outcome.soft ? [] : [event] };
}
