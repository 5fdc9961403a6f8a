import type { KubeObject, ObjectRef, ResourceDef } from "../api/mod.ts";
import type { DeleteOptions, Preconditions, Store, UpdateOptions, WriteOptions } from "./store.ts";

/** One row of a side table. `seq` grows with every `put` in the whole database and never repeats. */
export interface Row {
  readonly key: string;
  readonly seq: number;
  readonly value: string;
}

/**
 * What one transaction can do. All calls are synchronous and see each other's writes; watch events
 * go out after the commit. Same meaning and errors as the `Store` methods of the same name.
 */
export interface Tx {
  get(ref: ObjectRef): KubeObject | undefined;
  list(resource: ResourceDef, namespace?: string): KubeObject[];
  create(resource: ResourceDef, object: KubeObject, options?: WriteOptions): KubeObject;
  update(
    ref: ObjectRef,
    change: (current: KubeObject) => KubeObject,
    options?: UpdateOptions,
  ): KubeObject;
  delete(ref: ObjectRef, options?: DeleteOptions): KubeObject;
  /**
   * Writes an object exactly as given (uid, timestamps, deletionTimestamp, status), creating or
   * replacing by name; only `resourceVersion` is this store's own. For replicas of another store's objects.
   */
  put(resource: ResourceDef, object: KubeObject): KubeObject;
  /** Removes at once, finalizers or not. Returns whether there was one (that met `preconditions`). */
  purge(ref: ObjectRef, preconditions?: Preconditions): boolean;
  /** Side tables: small rows by `space` and key (outbox, pod memory, replica versions, settings). */
  row(space: string, key: string): Row | undefined;
  /** Rows of a space ordered by `seq`, only those after `afterSeq`, at most `limit`. */
  rows(space: string, options?: { afterSeq?: number; limit?: number }): Row[];
  putRow(space: string, key: string, value: string): Row;
  /** Deletes; with `seq`, only when the row still has it. Returns whether it did. */
  deleteRow(space: string, key: string, seq?: number): boolean;
}

/** Options of {@linkcode LocalStore.transact}. */
export interface TransactOptions {
  /**
   * Whether the commit waits for the disk. Without that it survives the end of the process, but a
   * power cut may take it, with all that came after it and was not durable either; the next durable
   * commit makes it so. For what can be found out again. @default {true}
   */
  readonly durable?: boolean;
}

/** A store in this process: adds transactions across objects and side tables. `SqliteStore` is one. */
export interface LocalStore extends Store, Disposable {
  /** Runs `fn` in one transaction; a throw rolls everything back. `fn` must not await. */
  transact<T>(fn: (tx: Tx) => T, options?: TransactOptions): T;
}
