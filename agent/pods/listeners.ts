/** Who wants to know when something about a pod was written. */
export class Listeners {
  readonly #byUid = new Map<string, Set<() => void>>();

  /** Calls `fn` after every write about the pod, until disposed. */
  add(uid: string, fn: () => void): Disposable {
    const set = this.#byUid.get(uid) ?? new Set();
    this.#byUid.set(uid, set);
    set.add(fn);
    return {
      [Symbol.dispose]: () => {
        set.delete(fn);
        if (set.size === 0 && this.#byUid.get(uid) === set) this.#byUid.delete(uid);
      },
    };
  }

  /** Tells the listeners of a pod. */
  tell(uid: string): void {
    for (const fn of this.#byUid.get(uid) ?? []) fn();
  }
}
