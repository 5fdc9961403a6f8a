import { type Clock, sleep, untilAborted } from "./clock.ts";
import { errorText } from "./errors.ts";
import type { Logger } from "./log.ts";
import type { Random } from "./random.ts";
import { type Backoff, backoffDelay } from "./retry.ts";
import { minutes, type Ms, ms, seconds } from "./units.ts";

/** A long-lived part of a process, run and restarted by a {@linkcode Supervisor}. */
export interface Service {
  /** Unique in the process; shown by `skerry status` and in metrics. */
  readonly name: string;
  /** What the supervisor does when `run` ends or throws before it was told to stop. */
  readonly onFailure: "restart" | "stop-process";
  /**
   * Runs until `signal` aborts. Calls `ready()` when it does its work; whatever it holds is freed
   * when the promise settles. A service that throws is restarted with back-off or ends the process.
   */
  run(signal: AbortSignal, ready: () => void): Promise<void>;
}

/** Where a service stands. */
export type ServicePhase = "waiting" | "starting" | "ready" | "backing-off" | "stopped" | "failed";

/** What `skerry status` and the metrics show of a service. */
export interface ServiceState {
  readonly name: string;
  readonly phase: ServicePhase;
  readonly restarts: number;
  /** Since when the service is in this phase. */
  readonly since: Ms;
  readonly lastError?: string;
}

/** Options of {@linkcode Supervisor}. */
export interface SupervisorOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** @default {200 ms doubling to 30 s} */
  readonly backoff?: Backoff;
}

const DEFAULT_BACKOFF: Backoff = { base: ms(200), cap: seconds(30) };
/** A service that ran this long starts its back-off from the beginning. */
const HEALTHY_AFTER = minutes(1);

/**
 * Runs the services of a process: restarts those that may be restarted, ends the process for those
 * that may not, and shows the state of all (FEATURES row A23).
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #states = new Map<string, ServiceState>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** The state of every service, in the order they were given. */
  states(): ServiceState[] {
    return [...this.#states.values()];
  }

  /** Whether every service is ready. */
  get ready(): boolean {
    return this.states().every((state) => state.phase === "ready");
  }

  /** Why not every service is ready: a sentence for each that is not. */
  problems(): string[] {
    return this.states().filter(({ phase }) => phase !== "ready")
      .map(({ name, phase }) => `service ${name} is ${phase}`);
  }

  /**
   * Runs `services` until `signal` aborts, then waits for all to end. Services start in order: one
   * starts when the one before it is ready or has failed once, and they stop in reverse order.
   *
   * @throws the error of a `stop-process` service that failed, after all others have stopped.
   */
  async run(services: readonly Service[], signal: AbortSignal): Promise<void> {
    for (const { name } of services) this.#set(name, { phase: "waiting" });
    const fatal = Promise.withResolvers<never>();
    fatal.promise.catch(() => {});
    const running: { name: string; stop: AbortController; ended: Promise<void> }[] = [];
    const stopping = untilAborted(signal);
    let failure: { error: unknown } | undefined;
    try {
      for (const service of services) {
        if (signal.aborted) break;
        const stop = new AbortController();
        const settled = Promise.withResolvers<void>();
        const ended = this.#supervise(service, stop.signal, settled.resolve).catch((error) => {
          // In this order: the next service must not start when this one ends the process.
          fatal.reject(error);
          settled.resolve();
        });
        running.push({ name: service.name, stop, ended });
        await Promise.race([settled.promise, stopping, fatal.promise]);
      }
      await Promise.race([stopping, fatal.promise]);
    } catch (error) {
      failure = { error };
    }
    for (const { name, stop, ended } of running.reverse()) {
      const since = this.#options.clock.monotonic();
      stop.abort(signal.reason ?? new Error("the process is stopping"));
      await ended;
      const took = Math.round(this.#options.clock.monotonic() - since);
      this.#options.log.debug("service stopped", { service: name, took });
    }
    if (failure) throw failure.error;
  }

  async #supervise(service: Service, signal: AbortSignal, settled: () => void): Promise<void> {
    const { clock, log, random } = this.#options;
    const { name } = service;
    for (let attempt = 0;; attempt++) {
      const started = clock.monotonic();
      let error: unknown;
      try {
        this.#set(name, { phase: "starting" });
        await service.run(signal, () => {
          this.#set(name, { phase: "ready" });
          settled();
        });
        error = new Error(`service ${name} ended by itself`);
      } catch (caught) {
        error = caught;
      }
      if (signal.aborted) return this.#set(name, { phase: "stopped" });
      const text = errorText(error);
      if (service.onFailure === "stop-process") {
        this.#set(name, { phase: "failed", lastError: text });
        log.error("service failed, stopping the process", { service: name, error: text });
        throw error;
      }
      if (clock.monotonic() - started >= HEALTHY_AFTER) attempt = 0;
      const wait = backoffDelay(this.#options.backoff ?? DEFAULT_BACKOFF, attempt, random);
      const restarts = (this.#states.get(name)?.restarts ?? 0) + 1;
      this.#set(name, { phase: "backing-off", lastError: text, restarts });
      log.error("service failed, restarting it", { service: name, error: text, wait, restarts });
      settled();
      try {
        await sleep(clock, wait, signal);
      } catch {
        return this.#set(name, { phase: "stopped" });
      }
    }
  }

  #set(name: string, change: Partial<ServiceState> & { phase: ServicePhase }): void {
    const before = this.#states.get(name);
    this.#states.set(name, {
      restarts: 0,
      ...before,
      ...change,
      name,
      since: this.#options.clock.now(),
    });
  }
}
