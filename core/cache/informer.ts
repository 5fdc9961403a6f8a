import {
  type Backoff,
  backoffDelay,
  type Clock,
  errorText,
  type Logger,
  ms,
  type Random,
  seconds,
  silentLogger,
  sleep,
} from "../base/mod.ts";
import { groupResource, type KubeObject, type ResourceDef } from "../api/mod.ts";
import type { Selection, Store, Watch, WatchEvent } from "../store/mod.ts";
import { classify } from "./classify.ts";
import { MutableView, type ObjectIndex, objectKey, type ObjectView } from "./view.ts";

/** Options of {@linkcode Informer}. */
export interface InformerOptions {
  readonly store: Pick<Store, "watch">;
  readonly resource: ResourceDef;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Logger;
  /** Narrows what is seen. @default {everything} */
  readonly selection?: Selection;
  /** Waits between failed tries. @default {200 ms doubling to 30 s} */
  readonly backoff?: Backoff;
}

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

const DEFAULT_BACKOFF: Backoff = { base: ms(200), cap: seconds(30) };
/** A watch that ends sooner counts as a failure even when it told something, or the tries would spin. */
const HEALTHY_AFTER = seconds(1);

/**
 * Keeps a view of one resource, after client-go's shared informer: watches from the start, then
 * resumes from the last version; when that has expired it collects the new state aside and
 * replaces the old one at once, so that readers never see half of it.
 */
export class Informer<T extends KubeObject = KubeObject> {
  readonly #options: InformerOptions;
  readonly #log: Logger;
  readonly #view = new MutableView<T>();
  readonly #handlers = new Set<InformerHandler<T>>();
  readonly #synced = Promise.withResolvers<void>();
  /** What the running snapshot has shown so far; `undefined` when none runs. */
  #staged: Map<string, T> | undefined;
  /** Up to where the view is complete; `undefined` until the first snapshot is. */
  #version: string | undefined;
  #hasSynced = false;

  constructor(options: InformerOptions) {
    this.#options = options;
    const { log = silentLogger, resource } = options;
    this.#log = log.with({ resource: groupResource(resource) });
    // Nobody has to wait for it; a stop before the first snapshot is no error then.
    this.#synced.promise.catch(() => {});
  }

  /** What is known. Stays readable, and grows old, while the store cannot be reached. */
  get view(): ObjectView<T> {
    return this.#view;
  }

  /** Resolves when the view has been complete once; rejects when `run` ends before. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Whether the view has been complete once. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** The version that the view shows; absent before it is complete. */
  get resourceVersion(): string | undefined {
    return this.#version;
  }

  /** Adds an index: `valuesOf` must be pure. Call it at any time. */
  index(valuesOf: (object: T) => readonly string[]): ObjectIndex<T> {
    return this.#view.index(valuesOf);
  }

  /** Tells `handler` of what is known now, then of every change, until the result is disposed. */
  handle(handler: InformerHandler<T>): Disposable {
    for (const object of this.#view.list()) handler.added?.(object);
    this.#handlers.add(handler);
    return { [Symbol.dispose]: () => void this.#handlers.delete(handler) };
  }

  /**
   * Keeps the view up to date until `signal` aborts.
   *
   * @throws what {@linkcode classify} calls hopeless, and what a handler throws
   */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    try {
      while (!signal.aborted) {
        const started = this.#options.clock.monotonic();
        const error = await this.#watchOnce(signal);
        if (signal.aborted) return;
        if (this.#options.clock.monotonic() - started >= HEALTHY_AFTER) failures = 0;
        await this.#recover(error, failures++, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#staged = undefined;
      this.#synced.reject(signal.reason ?? new Error("the informer has ended"));
    }
  }

  async #recover(error: unknown, failures: number, signal: AbortSignal): Promise<void> {
    const recovery = classify(error);
    if (recovery === "stop") throw error;
    if (recovery === "relist") this.#version = undefined;
    const { backoff = DEFAULT_BACKOFF, clock, random } = this.#options;
    // The first try after a watch that lasted is free: expired versions are everyday.
    const wait = failures === 0 ? ms(0) : backoffDelay(backoff, failures - 1, random);
    if (error !== undefined) {
      this.#log.warn("watch failed", { recovery, failures, wait, error: errorText(error) });
    }
    if (wait > 0) await sleep(clock, wait, signal);
  }

  /** One watch from its start to its end; gives the error that ended it. */
  async #watchOnce(signal: AbortSignal): Promise<unknown> {
    const { store, resource, selection = {} } = this.#options;
    const from = this.#version === undefined ? {} : { resourceVersion: this.#version };
    this.#staged = this.#version === undefined ? new Map() : undefined;
    let watch: Watch;
    try {
      watch = await store.watch(resource, { ...selection, ...from });
    } catch (error) {
      return error;
    }
    const stop = (): void => watch.abort();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    const events = watch[Symbol.asyncIterator]();
    try {
      for (;;) {
        let event: WatchEvent;
        try {
          const result = await events.next();
          if (result.done) return undefined;
          event = result.value;
        } catch (error) {
          return error;
        }
        this.#apply(event);
      }
    } finally {
      signal.removeEventListener("abort", stop);
      watch.abort();
    }
  }

  #apply(event: WatchEvent): void {
    if (event.type === "BOOKMARK") {
      if (event.initialEnd) this.#replace();
      if (!this.#staged) this.#version = event.resourceVersion;
      if (event.initialEnd) this.#markSynced();
      return;
    }
    const object = event.object as T;
    const key = objectKey(object);
    if (this.#staged) {
      // Versions of a snapshot come in any order, so the version waits for its end.
      if (event.type === "DELETED") this.#staged.delete(key);
      else this.#staged.set(key, object);
      return;
    }
    if (event.type === "DELETED") this.#remove(key, object);
    else this.#put(key, object);
    this.#version = event.resourceVersion;
  }

  /** Puts the complete snapshot in the place of what was known. */
  #replace(): void {
    const staged = this.#staged;
    if (!staged) return;
    this.#staged = undefined;
    for (const key of this.#view.keys()) {
      if (!staged.has(key)) this.#remove(key);
    }
    for (const [key, object] of staged) this.#put(key, object);
  }

  #put(key: string, object: T): void {
    const known = this.#view.get(key);
    if (known && known.metadata.uid !== object.metadata.uid) this.#remove(key);
    else if (known?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    const previous = this.#view.set(key, object);
    for (const handler of [...this.#handlers]) {
      if (previous) handler.updated?.(object, previous);
      else handler.added?.(object);
    }
  }

  /** `last` is the final state when the store told it. */
  #remove(key: string, last?: T): void {
    const known = this.#view.delete(key);
    if (!known) return;
    for (const handler of [...this.#handlers]) handler.deleted?.(last ?? known);
  }

  #markSynced(): void {
    this.#hasSynced = true;
    this.#synced.resolve();
  }
}
