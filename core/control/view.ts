import type { KubeObject, ResourceDef } from "../api/mod.ts";
import {
  type Clock,
  isAppError,
  type Logger,
  ms,
  type Random,
  retry,
  seconds,
} from "../base/mod.ts";
import type { Selection, Store, WatchEvent } from "../store/mod.ts";
import { keyOf } from "./keys.ts";

/** What happened to an object of a view. `object` is absent when it is gone. */
export interface Change<T extends KubeObject> {
  readonly key: string;
  readonly object?: T;
  readonly before?: T;
}

/** Options of {@linkcode View}. */
export interface ViewOptions<T extends KubeObject> {
  readonly store: Store;
  readonly resource: ResourceDef;
  readonly selection?: Selection;
  /** Names of indexes with the values under which an object is found. */
  readonly indexes?: Readonly<Record<string, (object: T) => readonly string[]>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Removed UIDs that are remembered; an echo is late by a few writes, not by thousands. */
const GONE_KEPT = 4096;

/**
 * A live, read-only copy of the objects of one kind, kept by a watch that is taken up again when it
 * ends. What this process wrote itself is put in at once ({@linkcode View.wrote}), so that a
 * controller never decides on a picture older than its own last step.
 */
export class View<T extends KubeObject = KubeObject> {
  readonly #options: ViewOptions<T>;
  readonly #objects = new Map<string, T>();
  readonly #indexes = new Map<string, Map<string, Map<string, T>>>();
  readonly #listeners = new Set<(change: Change<T>) => void>();
  /** UIDs that are gone for good: a late echo of a write must not bring them back. */
  readonly #gone = new Set<string>();
  #synced = Promise.withResolvers<void>();

  constructor(options: ViewOptions<T>) {
    this.#options = options;
    for (const name of Object.keys(options.indexes ?? {})) this.#indexes.set(name, new Map());
  }

  /** The kind. */
  get resource(): ResourceDef {
    return this.#options.resource;
  }

  /** Resolves when everything that existed at the start has been read. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** How many objects there are. */
  get size(): number {
    return this.#objects.size;
  }

  /** Finds one object by {@linkcode keyOf} key. */
  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  /** All objects, in no order. */
  all(): T[] {
    return [...this.#objects.values()];
  }

  /**
   * The objects under `value` of an index, in no order.
   * @throws {RangeError} when the view has no such index
   */
  by(index: string, value: string): T[] {
    const found = this.#indexes.get(index);
    if (!found) throw new RangeError(`Cannot look up ${value} as there is no index ${index}`);
    return [...found.get(value)?.values() ?? []];
  }

  /** Calls `listener` on every change until the result is disposed. It must not throw. */
  subscribe(listener: (change: Change<T>) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Puts in what this process has just written, unless something newer is there. */
  wrote(object: KubeObject): void {
    const current = this.#objects.get(keyOf(object));
    // A write that changed nothing is no news; telling it would call its writer again, for ever.
    if (current && (isOlder(object, current) || isSame(object, current))) return;
    if (this.#gone.has(object.metadata.uid ?? "")) return;
    this.#put(object as T);
  }

  /** Takes out what this process has just removed for good. */
  removed(object: KubeObject): void {
    this.#bury(keyOf(object), object.metadata.uid ?? "");
  }

  /** Follows the store until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log, resource } = this.#options;
    await retry(async () => {
      try {
        await this.#follow(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!isAppError(error, "Expired")) {
          log.warn("watch ended, taking it up again", { kind: resource.kind, error });
        }
        throw error;
      }
    }, {
      clock,
      random,
      backoff: { base: ms(100), cap: seconds(10) },
      retryable: () => !signal.aborted,
    });
  }

  /** One watch from the beginning: what is not among its first events is gone. */
  async #follow(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { store, resource, selection } = this.#options;
    using watch = await store.watch(resource, { ...selection, buffer: 10_000 });
    const stop = (): void => watch.abort();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) watch.abort();
    // What this watch shows first is newer than every removal before it.
    this.#gone.clear();
    const seen = new Set<string>();
    let initial = true;
    try {
      for await (const event of watch) {
        if (initial && event.type === "BOOKMARK" && event.initialEnd) {
          initial = false;
          for (const key of [...this.#objects.keys()]) if (!seen.has(key)) this.#drop(key);
          this.#synced.resolve();
        } else this.#apply(event, initial ? seen : undefined);
      }
    } finally {
      signal.removeEventListener("abort", stop);
    }
    if (!signal.aborted) throw new Error(`the watch of ${resource.plural} ended`);
  }

  #apply(event: WatchEvent, seen: Set<string> | undefined): void {
    if (event.type === "BOOKMARK") return;
    const object = event.object as T;
    const key = keyOf(object);
    const uid = object.metadata.uid ?? "";
    if (event.type === "DELETED") {
      seen?.delete(key);
      this.#bury(key, uid);
      return;
    }
    if (this.#gone.has(uid)) return;
    seen?.add(key);
    const current = this.#objects.get(key);
    // Equal versions are the echo of a write of our own; older ones are what it has overtaken.
    if (current && (isOlder(object, current) || isSame(object, current))) return;
    this.#put(object);
  }

  #bury(key: string, uid: string): void {
    this.#gone.add(uid);
    if (this.#gone.size > GONE_KEPT) {
      const oldest = this.#gone.values().next().value;
      if (oldest !== undefined) this.#gone.delete(oldest);
    }
    if (this.#objects.get(key)?.metadata.uid === uid) this.#drop(key);
  }

  #put(object: T): void {
    const key = keyOf(object);
    const before = this.#objects.get(key);
    if (before) this.#unindex(key, before);
    this.#objects.set(key, object);
    for (const [name, valuesOf] of Object.entries(this.#options.indexes ?? {})) {
      const index = this.#indexes.get(name);
      for (const value of valuesOf(object)) {
        const bucket = index?.get(value) ?? new Map<string, T>();
        bucket.set(key, object);
        index?.set(value, bucket);
      }
    }
    this.#tell(before ? { key, object, before } : { key, object });
  }

  #drop(key: string): void {
    const before = this.#objects.get(key);
    if (!before) return;
    this.#unindex(key, before);
    this.#objects.delete(key);
    this.#tell({ key, before });
  }

  #unindex(key: string, object: T): void {
    for (const [name, valuesOf] of Object.entries(this.#options.indexes ?? {})) {
      const index = this.#indexes.get(name);
      for (const value of valuesOf(object)) {
        const bucket = index?.get(value);
        bucket?.delete(key);
        if (bucket?.size === 0) index?.delete(value);
      }
    }
  }

  #tell(change: Change<T>): void {
    for (const listener of this.#listeners) listener(change);
  }
}

// The versions of one kind in one store are numbers that grow. Where they are not (a restored
// store), the watch starts from the beginning and every object has another uid or is the same.
function isOlder(a: KubeObject, b: KubeObject): boolean {
  return a.metadata.uid === b.metadata.uid &&
    Number(a.metadata.resourceVersion) < Number(b.metadata.resourceVersion);
}

function isSame(a: KubeObject, b: KubeObject): boolean {
  return a.metadata.uid === b.metadata.uid &&
    a.metadata.resourceVersion === b.metadata.resourceVersion;
}
