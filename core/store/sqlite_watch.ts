import { AppError } from "../base/mod.ts";
import { groupResource, type ResourceDef } from "../api/mod.ts";
import { withVersion } from "./json.ts";
import type { Predicate } from "./selection.ts";
import type { Change } from "./sqlite_reader.ts";
import type { Watch, WatchEvent } from "./store.ts";

/** Changes that a watch reads from the log at once. */
const BATCH = 100;
/** A watch that saw nothing of this many changes gets a bookmark, so that it can resume later. */
const BOOKMARK_EVERY = 1000;

/** What a watch reads while it is behind. All calls are synchronous and see only what is committed. */
export interface WatchSource {
  /** The newest version. */
  version(): number;
  /** The objects that existed at `version`, as ADDED. @throws {AppError} Expired */
  snapshot(resource: ResourceDef, namespace: string | undefined, version: number): SnapshotPages;
  /** Changes after `after`. @throws {AppError} Expired when some of them were compacted */
  history(resource: ResourceDef, after: number, limit: number): Change[];
}

/** Hands out a snapshot piece by piece; an empty piece is the end. */
export type SnapshotPages = (limit: number) => WatchEvent[];

/** What a watch is about. */
export interface WatchRequest {
  readonly resource: ResourceDef;
  readonly namespace: string | undefined;
  readonly matches: Predicate | undefined;
  /** Start after this; `undefined`: with the objects that exist. */
  readonly after: number | undefined;
  readonly buffer: number;
}

/** One change as a watch with this selection sees it; `undefined` when it does not concern it. */
export function selectEvent(
  change: Change,
  matches: Predicate | undefined,
): WatchEvent | undefined {
  const { type, object, previous, rv } = change;
  const resourceVersion = String(rv);
  if (!matches) return { type, object, resourceVersion };
  const before = previous !== undefined && matches(previous);
  const after = type !== "DELETED" && matches(object);
  if (after) return { type: before ? "MODIFIED" : "ADDED", object, resourceVersion };
  if (!before) return undefined;
  // Out of the selection: its last state inside, with the version at which it left.
  return { type: "DELETED", object: withVersion(previous, rv), resourceVersion };
}

type Waiter = PromiseWithResolvers<IteratorResult<WatchEvent, undefined>>;

/**
 * One reader of changes. It starts behind and pulls the snapshot and the log at its own pace; when
 * it has caught up it is live: the hub pushes into its bounded buffer, and a reader that lets the
 * buffer overflow is cut with `Expired`. Between the last pull that found nothing and the first
 * push nothing can be committed, as both are synchronous: no change is missed or seen twice.
 */
export class SqliteWatch implements Watch, AsyncIterator<WatchEvent, undefined> {
  readonly #request: WatchRequest;
  readonly #source: WatchSource;
  readonly #onEnd: (watch: SqliteWatch) => void;
  readonly #waiters: Waiter[] = [];
  #queue: WatchEvent[] = [];
  #snapshot: SnapshotPages | undefined;
  #at: number;
  #live = false;
  #ended = false;
  #error: unknown;

  constructor(request: WatchRequest, source: WatchSource, onEnd: (watch: SqliteWatch) => void) {
    this.#request = request;
    this.#source = source;
    this.#onEnd = onEnd;
    this.#at = request.after ?? source.version();
    if (request.after === undefined) {
      this.#snapshot = source.snapshot(request.resource, request.namespace, this.#at);
    }
  }

  /** As {@linkcode groupResource} names it. */
  get resource(): string {
    return groupResource(this.#request.resource);
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchEvent, undefined> {
    return this;
  }

  next(): Promise<IteratorResult<WatchEvent, undefined>> {
    const waiter: Waiter = Promise.withResolvers();
    this.#waiters.push(waiter);
    this.#settle();
    return waiter.promise;
  }

  return(): Promise<IteratorResult<WatchEvent, undefined>> {
    this.abort();
    return Promise.resolve({ done: true, value: undefined });
  }

  abort(): void {
    this.#end(undefined);
  }

  [Symbol.dispose](): void {
    this.abort();
  }

  /** A committed change of this resource. */
  push(change: Change): void {
    if (!this.#live || this.#ended) return;
    const event = selectEvent(change, this.#request.matches);
    if (event) this.#offer(event);
  }

  /** All changes up to `version` have been pushed. */
  reached(version: number): void {
    if (!this.#live || this.#ended || version - this.#at < BOOKMARK_EVERY) return;
    if (this.#queue.length === 0) {
      this.#offer({ type: "BOOKMARK", resourceVersion: String(version) });
    }
  }

  #offer(event: WatchEvent): void {
    this.#at = Number(event.resourceVersion);
    const waiter = this.#waiters.shift();
    if (waiter) return waiter.resolve({ done: false, value: event });
    if (this.#queue.length >= this.#request.buffer) return this.#cut();
    this.#queue.push(event);
  }

  #cut(): void {
    this.#end(
      new AppError(
        "Expired",
        `the watch of ${this.resource} was too slow: more than ${this.#request.buffer} changes ` +
          `waited for it; list again and watch from there`,
      ),
    );
  }

  #settle(): void {
    while (this.#waiters.length > 0) {
      if (this.#queue.length === 0 && !this.#ended && !this.#live) this.#pull();
      const event = this.#queue.shift();
      if (event) this.#waiters.shift()?.resolve({ done: false, value: event });
      else if (this.#ended) return this.#release();
      else if (this.#live) return;
    }
  }

  /** Takes the next piece of the snapshot or of the log, or goes live when there is none. */
  #pull(): void {
    try {
      this.#queue = this.#snapshot ? this.#nextPage(this.#snapshot) : this.#nextChanges();
    } catch (error) {
      this.#end(error);
    }
  }

  #nextPage(snapshot: SnapshotPages): WatchEvent[] {
    const { matches } = this.#request;
    for (let page = snapshot(BATCH); page.length > 0; page = snapshot(BATCH)) {
      const events = page.filter((event) =>
        event.type === "BOOKMARK" || !matches || matches(event.object)
      );
      if (events.length > 0) return events;
    }
    this.#snapshot = undefined;
    return [{ type: "BOOKMARK", resourceVersion: String(this.#at), initialEnd: true }];
  }

  #nextChanges(): WatchEvent[] {
    const { resource, matches } = this.#request;
    for (;;) {
      const changes = this.#source.history(resource, this.#at, BATCH);
      const last = changes.at(-1);
      if (!last) {
        this.#live = true;
        return [];
      }
      this.#at = last.rv;
      const events = changes.flatMap((change) => selectEvent(change, matches) ?? []);
      if (events.length > 0) return events;
    }
  }

  #end(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#queue = [];
    this.#snapshot = undefined;
    this.#onEnd(this);
    this.#release();
  }

  /** Settles everyone who waits; an error is told once, then the iteration is simply over. */
  #release(): void {
    for (const waiter of this.#waiters.splice(0)) {
      if (this.#error === undefined) waiter.resolve({ done: true, value: undefined });
      else {
        waiter.reject(this.#error);
        this.#error = undefined;
      }
    }
  }
}
