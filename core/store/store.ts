import type { KubeObject, ObjectRef, ResourceDef } from "../api/mod.ts";

/** Narrows a list or a watch. Selector texts are Kubernetes' own syntax. */
export interface Selection {
  /** Only this namespace; all when absent. */
  readonly namespace?: string;
  /** e.g. `app=web,tier in (a,b),!old`. @throws {AppError} BadRequest when it cannot be read */
  readonly labelSelector?: string;
  /** e.g. `spec.nodeName=n1,status.phase!=Failed`; `=`, `==` and `!=` on any path of the object. */
  readonly fieldSelector?: string;
}

/** Options of {@linkcode Store.list}. */
export interface ListOptions extends Selection {
  /** Most items in one answer; 0 or absent means all. */
  readonly limit?: number;
  /** The `continue` of the answer before. Pages of one list all show the first page's version. */
  readonly continue?: string;
}

/** Answer of {@linkcode Store.list}. Items are sorted by namespace, then name. */
export interface ListResult {
  readonly items: readonly KubeObject[];
  /** The version that the list shows; a watch from here misses nothing. */
  readonly resourceVersion: string;
  /** Present when there are more items. */
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

/** What must hold for a write to happen, else `Conflict`. */
export interface Preconditions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

/** Options of every write. */
export interface WriteOptions {
  /** Do everything but the commit. */
  readonly dryRun?: boolean;
  /**
   * Whether the answer waits for the disk. Without that the write survives the end of the process,
   * and a power cut of the next moment may take it. For what nobody misses then. @default {true}
   */
  readonly durable?: boolean;
}

/** For Events: as in Kubernetes one may be lost with the machine, and is not worth a wait for its disk. */
export const BEST_EFFORT: WriteOptions = { durable: false };

/** Options of {@linkcode Store.update}. */
export interface UpdateOptions extends WriteOptions {
  readonly preconditions?: Preconditions;
  /**
   * What the object was when it was last seen. A store on another machine makes its first try from
   * it, which saves a read; when it has changed since, that try fails and the object is read.
   */
  readonly from?: KubeObject | undefined;
  /** `status`: only `.status` is taken from the result; absent: all but `.status` (for kinds with `hasStatus`). */
  readonly subresource?: "status";
}

/** Options of {@linkcode Store.delete}. */
export interface DeleteOptions extends WriteOptions {
  readonly preconditions?: Preconditions;
  /**
   * Seconds. For pods bound to a node the first delete only sets `deletionTimestamp` with this
   * grace (default: the pod's own, 30); with 0, and for all other kinds, the object goes at once
   * unless it has finalizers.
   */
  readonly gracePeriodSeconds?: number;
  /** `Foreground` and `Orphan` add Kubernetes' finalizers `foregroundDeletion` and `orphan`. */
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
}

/** Options of {@linkcode Store.watch}. */
export interface WatchOptions extends Selection {
  /**
   * Start after this version. Absent: ADDED for all that exists now, then an INITIAL-END
   * bookmark, then changes. @throws {AppError} Expired when older than the oldest kept event
   */
  readonly resourceVersion?: string;
  /** Events that may wait for a slow reader before it is cut with `Expired`. @default {1000} */
  readonly buffer?: number;
}

/**
 * One change. `object` is the state after it (for DELETED: the last state, with the version of the
 * deletion). An object that stops matching the selection comes as DELETED, one that starts to match as ADDED.
 * BOOKMARK tells only that all up to `resourceVersion` has been sent; `initialEnd` marks the end of
 * the initial ADDED events.
 */
export type WatchEvent =
  | {
    readonly type: "ADDED" | "MODIFIED" | "DELETED";
    readonly object: KubeObject;
    readonly resourceVersion: string;
  }
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string; readonly initialEnd?: boolean };

/**
 * A running watch. Iterate it; `abort()` (or `using`, or `break`) ends it. Iteration ends normally
 * after `abort()` and throws an `AppError` `Expired` when the reader was too slow.
 */
export interface Watch extends AsyncIterable<WatchEvent>, Disposable {
  abort(): void;
}

/**
 * Kubernetes' storage semantics over anything: SQLite (`SqliteStore`) or a real API server
 * (`RemoteStore`). Objects that come out are frozen; copies go in. Every method throws `AppError`.
 *
 * The store sets `uid`, `resourceVersion`, `creationTimestamp` and `generation` (1 at create, +1
 * when `spec` changed, for kinds with `hasStatus`); it does not validate kinds.
 */
export interface Store {
  /** @throws {AppError} NotFound */
  get(ref: ObjectRef): Promise<KubeObject>;
  /** @throws {AppError} Expired for a continue token whose snapshot is gone */
  list(resource: ResourceDef, options?: ListOptions): Promise<ListResult>;
  /**
   * Creates; `generateName` is honoured when `name` is empty. For kinds with `hasStatus` the given
   * `status` is dropped; pods start as Pending, namespaces as Active.
   *
   * @throws {AppError} AlreadyExists, NotFound (namespace), Forbidden (namespace terminating)
   */
  create(resource: ResourceDef, object: KubeObject, options?: WriteOptions): Promise<KubeObject>;
  /**
   * Reads, calls `change` with a mutable copy, writes what it returns; again on a conflict that the
   * preconditions allow. Writes nothing when nothing changed. An object with a `deletionTimestamp`
   * whose last finalizer goes is removed. When `change` returns an object with another
   * `resourceVersion` than the current one, that is a Conflict. @throws {AppError} NotFound, Conflict
   */
  update(
    ref: ObjectRef,
    change: (current: KubeObject) => KubeObject,
    options?: UpdateOptions,
  ): Promise<KubeObject>;
  /**
   * Returns the object as it is after the call: with deletionTimestamp, or as last seen, with the
   * version of the deletion. Finalizers of `metadata`, and of a namespace's `spec`, hold it back.
   *
   * @throws {AppError} NotFound, Conflict
   */
  delete(ref: ObjectRef, options?: DeleteOptions): Promise<KubeObject>;
  /** The watch is subscribed when this resolves. */
  watch(resource: ResourceDef, options?: WatchOptions): Promise<Watch>;
  /** Identity of this store's history: changes when it was made anew or restored from a copy. */
  epoch(): Promise<string>;
}
