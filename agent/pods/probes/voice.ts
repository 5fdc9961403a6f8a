import { minutes, type Ms, ms } from "../../../core/base/mod.ts";
import type { PodEvent } from "../policy/plan.ts";
import type { ProbeOutcome } from "./outcome.ts";
import type { ProbeKind } from "./spec.ts";

/** Kubernetes cuts longer ones. */
const MESSAGE_CAP = 1024;
/** So often the same is said again. */
const AGAIN = minutes(1);
/** Different things that are said in a row; one more each minute. */
const BURST = 10;

const WORDS: Readonly<Record<ProbeKind, string>> = {
  startup: "Startup",
  liveness: "Liveness",
  readiness: "Readiness",
};

/** The Event that tells of an answer; `undefined` when there is nothing to tell. */
export function probeEvent(
  kind: ProbeKind,
  outcome: ProbeOutcome,
  fieldPath: string,
): PodEvent | undefined {
  const said = saying(outcome);
  if (said === undefined) return undefined;
  const reason = outcome.result === "warning" ? "ProbeWarning" : "Unhealthy";
  const message = `${WORDS[kind]} probe ${said}: ${outcome.output}`.slice(0, MESSAGE_CAP);
  return { type: "Warning", reason, message, fieldPath };
}

function saying({ result }: ProbeOutcome): string | undefined {
  switch (result) {
    case "failure":
      return "failed";
    case "warning":
      return "warning";
    case "error":
      return "errored and resulted in unknown state";
    case "success":
    case "away":
      return undefined;
  }
}

/** What one probe has said, so that it does not flood the node's Events. */
export class Voice {
  #message = "";
  #said = ms(-Infinity);
  #left = BURST;
  #filled: Ms | undefined;

  /** Whether `message` may be said at `now` (by the monotonic clock), and notes that it was. */
  says(message: string, now: Ms): boolean {
    if (message === this.#message && now < this.#said + AGAIN) return false;
    const gained = Math.floor((now - (this.#filled ?? now)) / AGAIN);
    this.#left = Math.min(BURST, this.#left + gained);
    this.#filled = ms((this.#filled ?? now) + gained * AGAIN);
    if (this.#left === 0) return false;
    this.#left--;
    this.#message = message;
    this.#said = now;
    return true;
  }
}
