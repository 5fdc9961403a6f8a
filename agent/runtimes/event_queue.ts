import type { RuntimeEvent } from "./runtime.ts";

const EVERYTHING = "";

/**
 * Hints on their way to one reader of {@linkcode Runtime.events}. A pod that is named twice before
 * the reader looks is named once, and "look at everything" swallows what waits, so that a slow reader
 * holds no more than one entry a pod.
 */
export class EventQueue implements AsyncIterableIterator<RuntimeEvent> {
  readonly #waiting = new Set<string>();
  readonly #onReturn: () => void;
  #wake: ((result: IteratorResult<RuntimeEvent>) => void) | undefined;
  #closed = false;

  /** `onReturn` is called when the reader stops reading. */
  constructor(onReturn: () => void = () => {}) {
    this.#onReturn = onReturn;
  }

  /** Hands the hint to the reader now or when it next asks. */
  push(event: RuntimeEvent): void {
    if (this.#closed) return;
    const key = event.podUid ?? EVERYTHING;
    if (this.#wake) return this.#answer({ done: false, value: event });
    if (this.#waiting.has(EVERYTHING)) return;
    if (key === EVERYTHING) this.#waiting.clear();
    this.#waiting.add(key);
  }

  /** Ends the reader's loop; what waits is dropped. */
  close(): void {
    this.#closed = true;
    this.#waiting.clear();
    this.#answer({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<RuntimeEvent>> {
    for (const key of this.#waiting) {
      this.#waiting.delete(key);
      const value = key === EVERYTHING ? {} : { podUid: key };
      return Promise.resolve({ done: false, value });
    }
    if (this.#closed) return Promise.resolve({ done: true, value: undefined });
    if (this.#wake) return Promise.reject(new TypeError("next() is called while one call waits"));
    return new Promise((resolve) => this.#wake = resolve);
  }

  return(): Promise<IteratorResult<RuntimeEvent>> {
    this.close();
    this.#onReturn();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #answer(result: IteratorResult<RuntimeEvent>): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.(result);
  }
}
