import type { KubeObject, ObjectMeta } from "../api/mod.ts";

/** `namespace/name`, or `name` of a cluster-scoped object: its key in views and work queues. */
export function objectKey(
  { metadata: { namespace, name } }: { metadata: Pick<ObjectMeta, "namespace" | "name"> },
): string {
  return namespace ? `${namespace}/${name}` : name;
}

/** Finds the objects of a view by a value that a function reads from them. */
export interface ObjectIndex<T extends KubeObject> {
  /** The objects for which the function gave `value`. */
  get(value: string): readonly T[];
  /** The values that have objects. */
  values(): readonly string[];
}

/** Read-only objects by key, with indexes. */
export interface ObjectView<T extends KubeObject> {
  readonly size: number;
  /** By {@linkcode objectKey}. */
  get(key: string): T | undefined;
  /** All objects, or those of one namespace. */
  list(namespace?: string): readonly T[];
}

class MapIndex<T extends KubeObject> implements ObjectIndex<T> {
  readonly #valuesOf: (object: T) => readonly string[];
  readonly #objects = new Map<string, Map<string, T>>();

  constructor(valuesOf: (object: T) => readonly string[]) {
    this.#valuesOf = valuesOf;
  }

  get(value: string): readonly T[] {
    return [...this.#objects.get(value)?.values() ?? []];
  }

  values(): readonly string[] {
    return [...this.#objects.keys()];
  }

  add(key: string, object: T): void {
    for (const value of this.#valuesOf(object)) {
      const found = this.#objects.get(value) ?? new Map<string, T>();
      this.#objects.set(value, found.set(key, object));
    }
  }

  remove(key: string, object: T): void {
    for (const value of this.#valuesOf(object)) {
      const found = this.#objects.get(value);
      found?.delete(key);
      if (found?.size === 0) this.#objects.delete(value);
    }
  }
}

/** The writable side of an {@linkcode ObjectView}; only its informer holds it. */
export class MutableView<T extends KubeObject> implements ObjectView<T> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: MapIndex<T>[] = [];

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(namespace?: string): readonly T[] {
    const all = [...this.#objects.values()];
    return namespace ? all.filter(({ metadata }) => metadata.namespace === namespace) : all;
  }

  keys(): readonly string[] {
    return [...this.#objects.keys()];
  }

  /** Puts or replaces; returns what was there. */
  set(key: string, object: T): T | undefined {
    const previous = this.delete(key);
    this.#objects.set(key, object);
    for (const one of this.#indexes) one.add(key, object);
    return previous;
  }

  /** Removes; returns what was there. */
  delete(key: string): T | undefined {
    const previous = this.#objects.get(key);
    if (!previous) return undefined;
    this.#objects.delete(key);
    for (const one of this.#indexes) one.remove(key, previous);
    return previous;
  }

  /** Adds an index over what is here and what comes. */
  index(valuesOf: (object: T) => readonly string[]): ObjectIndex<T> {
    const index = new MapIndex(valuesOf);
    for (const [key, object] of this.#objects) index.add(key, object);
    this.#indexes.push(index);
    return index;
  }
}
