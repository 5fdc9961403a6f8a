import {
  type Clock,
  errorText,
  type Logger,
  ms,
  type Random,
  retry,
  seconds,
  sleep,
} from "../../core/base/mod.ts";
import type { RunnerClient, RunnerFunctionState, RunnerStatus } from "../../core/runnerapi/mod.ts";
import type { RunnerView } from "./plan.ts";

/** Options of {@linkcode RunnerLink}. */
export interface RunnerLinkOptions {
  readonly client: RunnerClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** A function's state in the runner changed; `undefined` means all may have. */
  readonly changed: (uid: string | undefined) => void;
}

const BACKOFF = { base: ms(200), cap: seconds(5) };
/** A runner that restarts is back within this time: no status flaps for it. */
const GRACE = seconds(3);

/** Follows the runner's events and keeps what they say; connects again for ever. */
export class RunnerLink {
  readonly #options: RunnerLinkOptions;
  readonly #states = new Map<string, RunnerFunctionState>();
  #status: RunnerStatus | undefined;
  #problem = "the runner has not answered yet";
  /** No event stream since this time of the monotonic clock. */
  #lostAt: number | undefined;

  constructor(options: RunnerLinkOptions) {
    this.#options = options;
  }

  /** Whether the event stream is open, so that what is known is true now. */
  get connected(): boolean {
    return this.#status !== undefined;
  }

  /** The runner's status without its functions, as it was when the stream began. */
  get status(): RunnerStatus | undefined {
    return this.#status;
  }

  /** UIDs of the functions in the runner. */
  uids(): string[] {
    return [...this.#states.keys()];
  }

  /** How a function stands; within a short grace after the loss of the runner nothing is said anew. */
  view(uid: string): RunnerView | undefined {
    if (this.#status) {
      const { gateway, engine: { maxMemoryBytes } } = this.#status;
      return { connected: true, gateway, maxMemoryBytes, state: this.#states.get(uid) };
    }
    const { clock } = this.#options;
    if (this.#lostAt !== undefined && clock.monotonic() - this.#lostAt < GRACE) return undefined;
    return { connected: false, message: this.#problem };
  }

  /** Takes what a poll of the runner says, for the counters. */
  update(states: readonly RunnerFunctionState[]): void {
    for (const state of states) if (this.#states.has(state.uid)) this.#states.set(state.uid, state);
  }

  /** Runs until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#options;
    this.#lostAt = clock.monotonic();
    for (;;) {
      using grace = clock.timer(GRACE, () => this.#options.changed(undefined));
      await retry(() => this.#follow(signal, () => grace[Symbol.dispose]()), {
        ...{ clock, random, backoff: BACKOFF, signal },
        retryable: (error) => {
          if (this.#status) log.warn("the runner is gone", { error: errorText(error) });
          const first = this.#lose(errorText(error));
          // The back-off begins anew after a stream that was open.
          return !signal.aborted && !first;
        },
      }).catch((error) => {
        if (signal.aborted) throw error;
      });
      signal.throwIfAborted();
      this.#lose("the runner closed the connection");
      await sleep(clock, BACKOFF.base, signal);
    }
  }

  async #follow(signal: AbortSignal, opened: () => void): Promise<void> {
    const { client, changed, log } = this.#options;
    for await (const event of client.events(signal)) {
      switch (event.type) {
        case "status":
          opened();
          this.#status = event.status;
          this.#lostAt = undefined;
          this.#states.clear();
          for (const state of event.status.functions) this.#states.set(state.uid, state);
          log.info("runner connected", {
            engine: event.status.engine.version,
            gateway: event.status.gateway,
          });
          changed(undefined);
          break;
        case "function":
          this.#states.set(event.function.uid, event.function);
          changed(event.function.uid);
          break;
        case "removed":
          this.#states.delete(event.uid);
          changed(event.uid);
      }
    }
  }

  /** Notes the loss; whether a stream was open until now. */
  #lose(problem: string): boolean {
    const was = this.#status !== undefined;
    this.#problem = problem;
    this.#status = undefined;
    if (was) this.#lostAt = this.#options.clock.monotonic();
    return was;
  }
}
