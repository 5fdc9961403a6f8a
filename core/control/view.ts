import type { KubeObject, ResourceDef } from "../api/mod.ts";
import type { Informer, ObjectIndex } from "../cache/mod.ts";
import { keyOf } from "./keys.ts";

/** What happened to an object of a view. `object` is absent when it is gone. */
export interface Change<T extends KubeObject> {
  readonly key: string;
  readonly object?: T;
  readonly before?: T;
}

/** Indexes by name: the values under which an object is found. Pure. */
export type Indexes<T extends KubeObject> = Readonly<
  Record<string, (object: T) => readonly string[]>
>;

/**
 * What controllers read: the live, read-only objects of one kind, as an informer keeps them, with
 * indexes that have names. What this process wrote itself is put in at once
 * ({@linkcode View.wrote}), so that a controller never decides on a picture older than its own last
 * step.
 */
export class View<T extends KubeObject = KubeObject> {
  readonly #informer: Informer<T>;
  readonly #valuesOf: Indexes<T>;
  /** Made when somebody first looks something up. */
  readonly #indexes = new Map<string, ObjectIndex<T>>();

  /** Whoever makes it runs the informer. */
  constructor(informer: Informer<T>, indexes: Indexes<T> = {}) {
    this.#informer = informer;
    this.#valuesOf = indexes;
  }

  /** The kind. */
  get resource(): ResourceDef {
    return this.#informer.resource;
  }

  /** Resolves when everything that existed at the start has been read; rejects when it ends before. */
  get synced(): Promise<void> {
    return this.#informer.synced;
  }

  /** How many objects there are. */
  get size(): number {
    return this.#informer.view.size;
  }

  /** Finds one object by {@linkcode keyOf} key. */
  get(key: string): T | undefined {
    return this.#informer.view.get(key);
  }

  /** All objects, in no order. */
  all(): readonly T[] {
    return this.#informer.view.list();
  }

  /**
   * The objects under `value` of an index, in no order.
   * @throws {RangeError} when the view has no such index
   */
  by(index: string, value: string): readonly T[] {
    let found = this.#indexes.get(index);
    if (!found) {
      const valuesOf = this.#valuesOf[index];
      if (!valuesOf) throw new RangeError(`Cannot look up ${value} as there is no index ${index}`);
      found = this.#informer.index(valuesOf);
      this.#indexes.set(index, found);
    }
    return found.get(value);
  }

  /** Calls `listener` on every change until the result is disposed. It must not throw. */
  subscribe(listener: (change: Change<T>) => void): Disposable {
    return this.#informer.subscribe({
      added: (object) => listener({ key: keyOf(object), object }),
      updated: (object, before) => listener({ key: keyOf(object), object, before }),
      deleted: (before) => listener({ key: keyOf(before), before }),
    });
  }

  /** Puts in what this process has just written, unless something newer is there. */
  wrote(object: KubeObject): void {
    this.#informer.wrote(object);
  }

  /** Takes out what this process has just removed for good. */
  removed(object: KubeObject): void {
    this.#informer.removed(object);
  }

  /** Follows the store until `signal` aborts. @throws as `Informer.run` */
  async run(signal: AbortSignal): Promise<void> {
    await this.#informer.run(signal);
  }
}
