import {
  AppError,
  type Clock,
  errorText,
  failureLevel,
  isAppError,
  type Logger,
  type Ms,
  ms,
} from "../../core/base/mod.ts";
import { isDenied } from "../../core/kube/mod.ts";
import { LINK } from "../../core/link/mod.ts";
import {
  applyIntent,
  failedResult,
  type Intent,
  type IntentContext,
  RefusalLog,
  type Result,
} from "../../core/sync/mod.ts";
import type { HubObserver } from "./options.ts";
import type { WriteGate } from "./write_gate.ts";

/** Keys whose last final answer is remembered, to answer a repeated intent without effect. */
const REMEMBERED = 512;

/** Options of {@linkcode IntentQueue}. */
export interface IntentQueueOptions {
  readonly context: () => IntentContext;
  /** Holds what cannot be written now. */
  readonly gate: WriteGate;
  /** Aborts when nobody waits for answers any more. */
  readonly signal: AbortSignal;
  readonly answer: (result: Result) => Promise<unknown>;
  readonly log: Logger;
  readonly clock: Clock;
  /** Told of every answer. */
  readonly observe?: Pick<HubObserver, "intent"> | undefined;
}

interface Arrived {
  readonly intent: Intent;
  /** By the monotonic clock. */
  readonly at: Ms;
}

/** Applies the intents of one session, one after the other, and answers each after its commit. */
export class IntentQueue {
  readonly #options: IntentQueueOptions;
  readonly #answered = new Map<string, Result>();
  readonly #refusals: RefusalLog;
  #waiting: Arrived[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: IntentQueueOptions) {
    this.#options = options;
    this.#refusals = new RefusalLog({ ...options, level: "info", message: "intent refused" });
  }

  /** Takes an intent. Returns false when the node ignores the window. */
  add(intent: Intent): boolean {
    // Twice the window: repeated ones may be among them.
    if (this.#waiting.length >= 2 * LINK.intentWindow) return false;
    this.#waiting.push({ intent, at: this.#options.clock.monotonic() });
    this.#running ??= this.#run();
    return true;
  }

  /** Drops what waits; resolves when what is in progress has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting = [];
    await this.#running;
  }

  async #run(): Promise<void> {
    // Not in the turn of add(): it may be called while `#running` is being set.
    await Promise.resolve();
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      const result = await this.#apply(next.intent);
      this.#count(next, result);
      if (this.#closed) break;
      // A lost answer is no harm: the node sends the intent again.
      this.#options.answer(result).catch(() => {});
    }
    this.#running = undefined;
  }

  #count({ intent, at }: Arrived, { ok, error }: Result): void {
    const { clock, observe } = this.#options;
    const outcome = ok ? "applied" : error?.retry ? "retried" : "refused";
    observe?.intent(intent.kind, outcome, ms(clock.monotonic() - at));
  }

  async #apply(intent: Intent): Promise<Result> {
    const { seq, key, kind } = intent;
    const last = this.#answered.get(key);
    if (last?.seq === seq) return last;
    // A newer one has taken its place: what this one wanted is not wanted any more.
    if (last && last.seq > seq) return { t: "result", seq, ok: true };
    const { log, context, gate, signal } = this.#options;
    try {
      await gate.run(() => applyIntent(context(), intent), signal);
      this.#refusals.applied(key);
      return this.#remember(key, { t: "result", seq, ok: true });
    } catch (caught) {
      const error = kind !== "event" && isDenied(caught) ? notYet(caught) : caught;
      const result = failedResult(seq, error);
      if (!isAppError(error)) log.error("intent failed", { kind, key, error: errorText(error) });
      else if (result.error?.retry) {
        // A node that has left sends it again.
        const level = signal.aborted ? "debug" : failureLevel(error);
        log[level]("intent not applied yet", { kind, key, error });
      } else if (error.cause !== undefined) {
        log.error("intent refused", { kind, key, error, cause: errorText(error.cause) });
      } else this.#refusals.refused(key, { kind, code: error.code, error: error.message });
      return result.error?.retry ? result : this.#remember(key, result);
    }
  }

  #remember(key: string, result: Result): Result {
    this.#answered.delete(key);
    this.#answered.set(key, result);
    if (this.#answered.size > REMEMBERED) {
      const oldest = this.#answered.keys().next().value;
      if (oldest !== undefined) this.#answered.delete(oldest);
    }
    return result;
  }
}

/**
 * What the API server does not let the hub write may be let in later: rights were taken away for a
 * moment, or what it depends on is not there yet. A node that took the refusal for its last word
 * would not tell again. Events are worth no such trouble.
 */
function notYet(error: unknown): AppError {
  const message = `the API server does not let the hub write this now: ${errorText(error)}`;
  return new AppError("ServiceUnavailable", message, { cause: error });
}
