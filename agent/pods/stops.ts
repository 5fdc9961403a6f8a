import { type Clock, errorText, type Logger, type Ms, ms, seconds } from "../../core/base/mod.ts";
import type { Runtime } from "../runtimes/mod.ts";

/** Options of {@linkcode Stops}. */
export interface StopsOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Told when a container has stopped, or `after` a wait when the stop failed. */
  readonly changed: (uid: string, after: Ms) => void;
}

/**
 * Stops of containers that are under way. They take up to their grace and must not hold a worker,
 * so that a pod can be asked to go sooner while it is going.
 */
export class Stops {
  readonly #options: StopsOptions;
  /** By UID, then container id: the time of the KILL. */
  readonly #under = new Map<string, Map<string, Ms>>();
  readonly #running = new Set<Promise<void>>();

  constructor(options: StopsOptions) {
    this.#options = options;
  }

  /** Deadlines of a pod's stops by container id. */
  of(uid: string): Readonly<Record<string, Ms>> {
    return Object.fromEntries(this.#under.get(uid) ?? []);
  }

  /** Stops a container in the background: TERM now, KILL after `grace`. */
  begin(uid: string, stop: { readonly containerId: string; readonly grace: Ms }): void {
    const deadline = ms(this.#options.clock.now() + stop.grace);
    const mine = this.#under.get(uid) ?? new Map<string, Ms>();
    this.#under.set(uid, mine);
    mine.set(stop.containerId, deadline);
    const work = this.#run(uid, { ...stop, deadline });
    this.#running.add(work);
    work.finally(() => this.#running.delete(work));
  }

  /** Waits for all stops to end or to be cut. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#running]);
  }

  async #run(
    uid: string,
    stop: { readonly containerId: string; readonly grace: Ms; readonly deadline: Ms },
  ): Promise<void> {
    const { runtime, signal, changed, log } = this.#options;
    let wait = ms(0);
    try {
      await runtime.stopContainer(stop.containerId, stop.grace, signal);
    } catch (error) {
      if (signal.aborted) return;
      log.warn("a container could not be stopped, trying again", {
        uid,
        container: stop.containerId,
        error: errorText(error),
      });
      wait = seconds(1);
    } finally {
      const mine = this.#under.get(uid);
      // A later, shorter stop of the same container has its own entry.
      if (mine?.get(stop.containerId) === stop.deadline) mine.delete(stop.containerId);
      if (mine?.size === 0) this.#under.delete(uid);
    }
    changed(uid, wait);
  }
}
