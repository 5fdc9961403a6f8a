import { type Clock, isAppError, type Ms } from "../../core/base/mod.ts";
import type { ImageAuth, Runtime } from "../runtimes/mod.ts";

/** Options of {@linkcode ImagePulls}. */
export interface ImagePullsOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  /** Ends all pulls. */
  readonly signal: AbortSignal;
  /** Pulls at once. */
  readonly pulls: number;
}

/** What a pull came to. */
export interface Pulled {
  /** The reference to create containers with. */
  readonly ref: string;
  /** When it got its turn, by the monotonic clock. */
  readonly began: Ms;
}

/** Pulls images, so many at once; those who want the same image share a pull. */
export class ImagePulls {
  readonly #options: ImagePullsOptions;
  readonly #under = new Map<string, Promise<Pulled>>();
  #free: number;
  #queue: (() => void)[] = [];

  constructor(options: ImagePullsOptions) {
    this.#options = options;
    this.#free = options.pulls;
  }

  /** Waits for the pulls that were cut to end. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#under.values());
  }

  /** One pull of an image for all who want it now, with the same credentials. */
  pull(image: string, auths: readonly ImageAuth[]): Promise<Pulled> {
    const key = JSON.stringify([image, auths]);
    const under = this.#under.get(key);
    if (under) return under;
    const { clock } = this.#options;
    const pull = this.#limited(async () => {
      const began = clock.monotonic();
      return { ref: await this.#tryAll(image, auths), began };
    }).finally(() => this.#under.delete(key));
    this.#under.set(key, pull);
    return pull;
  }

  /** Tries one credential after the other; what the last one came to counts. */
  async #tryAll(image: string, auths: readonly ImageAuth[]): Promise<string> {
    const { runtime, signal } = this.#options;
    for (const auth of auths.slice(0, -1)) {
      try {
        return await runtime.pullImage(image, auth, signal);
      } catch (error) {
        if (signal.aborted || isAppError(error, "ServiceUnavailable")) throw error;
      }
    }
    return await runtime.pullImage(image, auths.at(-1), signal);
  }

  async #limited<T>(fn: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#free--;
    try {
      return await fn();
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
