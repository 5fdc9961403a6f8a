import {
  backoffDelay,
  type Clock,
  isAppError,
  type Logger,
  ms,
  OutageLog,
  type Random,
  seconds,
  sleep,
  unlessAborted,
} from "../../core/base/mod.ts";
import { isUnreachable } from "../../core/kube/mod.ts";

/** Options of {@linkcode WriteGate}. */
export interface WriteGateOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /**
   * Whether the API server answers, whatever it says: asked while the gate is closed. Must end soon,
   * and with the reason of its signal. @default {it always does}
   */
  readonly probe?: ((signal: AbortSignal) => Promise<boolean>) | undefined;
}

/** A hub may have thousands of nodes that all want to write; one of them asks for all. */
const PAUSE = { base: ms(100), cap: seconds(1) };
/** Nothing is said of a silence that is shorter: a server that starts falls silent again and again. */
const GRACE = seconds(5);
/** Tries of a write that loses its connection, while the server answers all else. */
const MAX_ALONE = 5;

/**
 * Holds writes back while the API server gives no answer, and lets them all through as soon as it
 * answers one small request, whatever that says. So what nodes report during an outage waits here,
 * is not sent over their links again and again, and is written in the moment of the return.
 */
export class WriteGate {
  readonly #options: WriteGateOptions;
  readonly #outage: OutageLog;
  #open = true;
  /** How often the server was asked and gave no answer. */
  #silences = 0;
  /** Settles when the one that asks has ended; absent when nobody does. */
  #asking: PromiseWithResolvers<void> | undefined;

  constructor(options: WriteGateOptions) {
    this.#options = options;
    this.#outage = new OutageLog({ ...options, grace: GRACE });
  }

  /**
   * Runs `write`, again and again while the API server gives no answer.
   *
   * @throws what `write` throws else, and the reason of `signal`
   */
  async run<T>(write: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { clock, random } = this.#options;
    for (let alone = 0;;) {
      await this.#untilOpen(signal);
      const before = this.#silences;
      try {
        return await write();
      } catch (error) {
        if (!isUnreachable(error)) throw error;
        this.#open = false;
        await this.#untilOpen(signal);
        if (this.#silences !== before) continue;
        // The server answers, only not to this: nobody else may wait for it.
        if (isAppError(error, "Timeout") || ++alone === MAX_ALONE) throw error;
        await sleep(clock, backoffDelay(PAUSE, alone, random), signal);
      }
    }
  }

  /** @throws the reason of `signal` */
  async #untilOpen(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (!this.#open) {
      if (this.#asking) {
        await unlessAborted(this.#asking.promise, signal);
        continue;
      }
      const asking = this.#asking = Promise.withResolvers<void>();
      try {
        await this.#ask(signal);
      } finally {
        // When it gave up, the next one asks.
        this.#asking = undefined;
        asking.resolve();
      }
    }
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const { clock, random, log, probe } = this.#options;
    for (let tries = 0; probe && !await probe(signal); tries++) {
      this.#silences++;
      this.#outage.failed("warn", "the API server gives no answer: what nodes report waits", {});
      await sleep(clock, backoffDelay(PAUSE, tries, random), signal);
    }
    this.#open = true;
    const outage = this.#outage.ended();
    if (outage) log.info("the API server answers: what nodes report is written", outage);
  }
}
