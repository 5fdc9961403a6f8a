import { AppError } from "./errors.ts";

/** Options of {@linkcode Places.enter}. */
export interface PlaceOptions {
  /** How many places a key has. */
  readonly most: number;
  /** Who it is, for the message, e.g. `pod web`. */
  readonly who: string;
  /** What takes the places, for the message. @default {"requests"} */
  readonly what?: string;
}

/** Counts what each of many has under way, so that none can take all there is. */
export class Places {
  readonly #counts = new Map<string, number>();

  /**
   * Takes a place of `key`; calling the result gives it back, once however often it is called.
   *
   * @throws {AppError} TooManyRequests with a time to wait
   */
  enter(key: string, { most, who, what = "requests" }: PlaceOptions): () => void {
    const count = this.#counts.get(key) ?? 0;
    if (count >= most) {
      throw new AppError(
        "TooManyRequests",
        `${who} has ${count} ${what} under way, which is the limit: end some or wait`,
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
