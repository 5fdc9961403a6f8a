import type { KubeObject } from "../api/mod.ts";
import type { WatchEvent } from "../store/mod.ts";
import { MutableView, objectKey } from "./view.ts";

/**
 * Who is told of changes, after the view has them. Calls are synchronous and in order; typically
 * they add a key to a work queue. An object that was deleted and made again under the same name
 * comes as `deleted`, then `added`, even when both happened while the informer could not see.
 */
export interface InformerHandler<T extends KubeObject> {
  added?(object: T): void;
  updated?(object: T, previous: T): void;
  deleted?(object: T): void;
}

/** Removed UIDs that are remembered; an echo is late by a few writes, not by thousands. */
const GONE_KEPT = 4096;

/**
 * What an informer knows: the view, what a running snapshot has shown so far, and what is gone. What
 * this process wrote itself is put in at once, so that nobody decides on a picture older than his
 * own last step; the echo of it changes nothing.
 */
export class Picture<T extends KubeObject> {
  readonly view = new MutableView<T>();
  readonly #handlers = new Set<InformerHandler<T>>();
  /**
   * UIDs that are gone, and since which version as far as it was told: a late echo of a write must
   * not bring them back. What comes after that version was only out of the selection.
   */
  readonly #gone = new Map<string, number>();
  #staged: Map<string, T> | undefined;

  /** Tells `handler` of every change until the result is disposed. */
  subscribe(handler: InformerHandler<T>): Disposable {
    this.#handlers.add(handler);
    return { [Symbol.dispose]: () => void this.#handlers.delete(handler) };
  }

  /** Whether a snapshot runs. */
  get inSnapshot(): boolean {
    return this.#staged !== undefined;
  }

  /** What follows is everything that there is, set aside until it is complete. */
  beginSnapshot(): void {
    this.#staged = new Map();
    // What it shows is newer than every removal before it.
    this.#gone.clear();
  }

  /** Forgets a snapshot that will not be complete. */
  dropSnapshot(): void {
    this.#staged = undefined;
  }

  /** Puts the complete snapshot in the place of what was known. */
  endSnapshot(): void {
    const staged = this.#staged;
    if (!staged) return;
    this.#staged = undefined;
    for (const key of this.view.keys()) {
      if (staged.has(key)) continue;
      const known = this.view.get(key);
      // The answer to a write that began before must not bring it back: nobody would take it out.
      this.#forget(uidOf(known), Number(known?.metadata.resourceVersion));
      this.#remove(key);
    }
    // Also where its versions are older: after a restore it is the snapshot that is right.
    for (const [key, object] of staged) this.#put(key, object);
  }

  /** Takes over what a watch tells. */
  apply(event: Exclude<WatchEvent, { type: "BOOKMARK" }>): void {
    const object = event.object as T;
    const key = objectKey(object);
    if (event.type === "DELETED") return this.#bury(key, object, Number(event.resourceVersion));
    const gone = this.#gone.get(uidOf(object));
    if (gone !== undefined && Number(object.metadata.resourceVersion) <= gone) return;
    this.#gone.delete(uidOf(object));
    const known = this.#staged ? this.#staged.get(key) : this.view.get(key);
    if (known && isOlder(object, known)) return;
    if (this.#staged) this.#staged.set(key, object);
    else this.#put(key, object);
  }

  /** Puts in what this process has just written, unless something newer is there. */
  wrote(object: T): void {
    if (this.#gone.has(uidOf(object))) return;
    const key = objectKey(object);
    const staged = this.#staged?.get(key);
    if (this.#staged && !(staged && isOlder(object, staged))) this.#staged.set(key, object);
    const known = this.view.get(key);
    if (!known || !isOlder(object, known)) this.#put(key, object);
  }

  /** Takes out what this process has just removed for good. */
  removed(object: KubeObject): void {
    const since = this.#gone.get(uidOf(object)) ?? Infinity;
    this.#bury(objectKey(object), object, since);
  }

  #bury(key: string, last: KubeObject, since: number): void {
    const uid = uidOf(last);
    this.#forget(uid, since);
    if (uidOf(this.#staged?.get(key)) === uid) this.#staged?.delete(key);
    if (uidOf(this.view.get(key)) === uid) this.#remove(key, last as T);
  }

  #forget(uid: string, since: number): void {
    this.#gone.set(uid, since);
    if (this.#gone.size <= GONE_KEPT) return;
    const oldest = this.#gone.keys().next().value;
    if (oldest !== undefined) this.#gone.delete(oldest);
  }

  #put(key: string, object: T): void {
    const known = this.view.get(key);
    if (known && uidOf(known) !== uidOf(object)) this.#remove(key);
    // A write that changed nothing is no news; telling it would call its writer again, for ever.
    else if (known?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    const previous = this.view.set(key, object);
    for (const handler of [...this.#handlers]) {
      if (previous) handler.updated?.(object, previous);
      else handler.added?.(object);
    }
  }

  /** `last` is the final state when it was told. */
  #remove(key: string, last?: T): void {
    const known = this.view.delete(key);
    if (!known) return;
    for (const handler of [...this.#handlers]) handler.deleted?.(last ?? known);
  }
}

function uidOf(object: KubeObject | undefined): string {
  return object?.metadata.uid ?? "";
}

/** Whether `a` is the older state: the versions of one kind in one history are numbers that grow. */
export function isOlder(a: KubeObject, b: KubeObject): boolean {
  return Number(a.metadata.resourceVersion) < Number(b.metadata.resourceVersion);
}
