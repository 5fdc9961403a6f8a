/**
 * A controller that also aborts when one of its parents does. In place of `AbortSignal.any`: on Deno
 * 2.9.6 the abort of such a signal did not reach a `fetch` whose answer had been streaming for seconds
 * (docs/decisions/003-cri-over-fetch.md). Dispose it when the work is done.
 */
export class LinkedAbort implements Disposable {
  readonly #controller = new AbortController();
  readonly #parents: readonly AbortSignal[];
  readonly #onParent = (): void => {
    this.abort(this.#parents.find(({ aborted }) => aborted)?.reason);
  };

  constructor(...parents: readonly AbortSignal[]) {
    this.#parents = parents;
    if (parents.some(({ aborted }) => aborted)) this.#onParent();
    else for (const parent of parents) parent.addEventListener("abort", this.#onParent);
  }

  /** Aborts with the reason of the parent that aborted, or with that of {@linkcode abort}. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Aborts this signal alone. */
  abort(reason?: unknown): void {
    this[Symbol.dispose]();
    this.#controller.abort(reason);
  }

  /** Lets go of the parents. */
  [Symbol.dispose](): void {
    for (const parent of this.#parents) parent.removeEventListener("abort", this.#onParent);
  }
}
