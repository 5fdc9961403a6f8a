import type { Observation, Runtime } from "../runtimes/mod.ts";
import type { PodView } from "./policy/plan.ts";

interface Waiting {
  readonly uid: string;
  readonly resolve: (view: PodView) => void;
  readonly reject: (error: unknown) => void;
}

/** From this many on, one look at everything is cheaper than a look at each. */
const SHARE_FROM = 4;

/**
 * Looks at pods through the runtime, one answer for all who ask at the same time. A look always
 * begins after it was asked for, so it shows whatever the asker did before.
 */
export class Observer {
  readonly #runtime: Runtime;
  readonly #signal: AbortSignal;
  #waiting: Waiting[] = [];
  #looking = false;
  /** UIDs of the pods of which something ran when all was looked at last. */
  #present: ReadonlySet<string> | undefined;
  /** Pods that came later than that. */
  readonly #fresh = new Set<string>();

  constructor(runtime: Runtime, signal: AbortSignal) {
    this.#runtime = runtime;
    this.#signal = signal;
  }

  /**
   * Says that a pod has come that this agent did not know. Nothing of it can run, as nobody else
   * starts its containers, so its first look need not ask the runtime: unless something was there
   * before this agent began.
   */
  came(uid: string): void {
    if (this.#present?.has(uid) === false) this.#fresh.add(uid);
  }

  /** What runs of one pod. @throws {AppError} ServiceUnavailable when the runtime is away */
  look(uid: string): Promise<PodView> {
    if (this.#fresh.delete(uid)) return Promise.resolve({ sandboxes: [], containers: [] });
    return new Promise((resolve, reject) => {
      this.#waiting.push({ uid, resolve, reject });
      if (!this.#looking) this.#flush();
    });
  }

  /** Everything that runs. */
  async all(): Promise<Observation> {
    const all = await this.#runtime.observe(this.#signal);
    this.#present = new Set([...all.sandboxes, ...all.containers].map(({ podUid }) => podUid));
    return all;
  }

  async #flush(): Promise<void> {
    this.#looking = true;
    // One turn, so that workers which were woken together share the first look as well.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      if (batch.length < SHARE_FROM) {
        await Promise.all(batch.map((one) => this.#single(one)));
      } else {
        await this.#shared(batch);
      }
    }
    this.#looking = false;
  }

  async #single(one: Waiting): Promise<void> {
    try {
      one.resolve(viewOf(await this.#runtime.observe(this.#signal, one.uid), one.uid));
    } catch (error) {
      one.reject(error);
    }
  }

  async #shared(batch: readonly Waiting[]): Promise<void> {
    try {
      const all = await this.#runtime.observe(this.#signal);
      for (const one of batch) one.resolve(viewOf(all, one.uid));
    } catch (error) {
      for (const one of batch) one.reject(error);
    }
  }
}

/** The part of an observation that belongs to one pod. */
export function viewOf(all: Observation, uid: string): PodView {
  return {
    sandboxes: all.sandboxes.filter((one) => one.podUid === uid),
    containers: all.containers.filter((one) => one.podUid === uid),
  };
}
