import { AppError } from "../base/mod.ts";
import type { Limits } from "./types.ts";

/** Counts what each identity has under way, so that one client cannot take the whole server. */
export class Limiter {
  readonly #limits: Pick<Limits, "watchesPerUser" | "requestsPerUser">;
  readonly #counts = new Map<string, number>();

  constructor(limits: Pick<Limits, "watchesPerUser" | "requestsPerUser">) {
    this.#limits = limits;
  }

  /**
   * Takes a place for `user`; calling the result gives it back, once however often it is called.
   * @throws {AppError} TooManyRequests with a time to wait
   */
  enter(user: string, kind: "watch" | "request"): () => void {
    const key = `${kind} ${user}`;
    const limit = kind === "watch" ? this.#limits.watchesPerUser : this.#limits.requestsPerUser;
    const count = this.#counts.get(key) ?? 0;
    if (count >= limit) {
      throw new AppError(
        "TooManyRequests",
        `user "${user}" has ${count} ${kind === "watch" ? "watches" : "requests"} under way, ` +
          `which is the limit: end some or wait`,
        { retryAfterSeconds: 1 },
      );
    }
    this.#counts.set(key, count + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const now = (this.#counts.get(key) ?? 1) - 1;
      if (now > 0) this.#counts.set(key, now);
      else this.#counts.delete(key);
    };
  }

  /** How many places are taken in all. */
  get size(): number {
    let sum = 0;
    for (const count of this.#counts.values()) sum += count;
    return sum;
  }
}
