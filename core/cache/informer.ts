import {
  type Backoff,
  backoffDelay,
  type Clock,
  isAppError,
  isTold,
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
import { type InformerHandler, Picture } from "./picture.ts";
import type { ObjectIndex, ObjectView } from "./view.ts";
import { HEALTHY_AFTER, WatchLog } from "./watch_log.ts";

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
  /**
   * Asked when a watch fails again: whether the kind is served no more. Then nothing of it exists, and
   * the run ends. Must not throw. @default {it is served}
   */
  readonly gone?: (signal: AbortSignal) => Promise<boolean>;
}

const DEFAULT_BACKOFF: Backoff = { base: ms(200), cap: seconds(30) };
/** Changes that may wait to be read: a deployment, or a namespace that goes. */
const BUFFER = 10_000;

/**
 * Keeps a view of one resource, after client-go's shared informer: watches from the start, then
 * resumes from the last version; when that has expired it collects the new state aside and
 * replaces the old one at once, so that readers never see half of it.
 */
export class Informer<T extends KubeObject = KubeObject> {
  readonly #options: InformerOptions;
  readonly #log: Logger;
  readonly #watchLog: WatchLog;
  readonly #picture = new Picture<T>();
  #synced = Promise.withResolvers<void>();
  /** Up to where the view is complete; `undefined` until the first snapshot is. */
  #version: string | undefined;
  #hasSynced = false;
  #hasRun = false;
  /** The running watch; aborting it makes the informer take it up again. */
  #watch: Watch | undefined;
  /** How often all was to be read anew; what an older watch still tells counts no more. */
  #turns = 0;

  constructor(options: InformerOptions) {
    this.#options = options;
    const { log = silentLogger, resource } = options;
    this.#log = log.with({ resource: groupResource(resource) });
    this.#watchLog = new WatchLog({ ...options, log: this.#log });
    // Nobody has to wait for it; a stop before the first snapshot is no error then.
    this.#synced.promise.catch(() => {});
  }

  /** What is known. Stays readable, and grows old, while the store cannot be reached. */
  get view(): ObjectView<T> {
    return this.#picture.view;
  }

  /** The kind. */
  get resource(): ResourceDef {
    return this.#options.resource;
  }

  /** Resolves when the view is complete since the start of `run`; rejects when that ends before. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Whether the view is complete since the start of `run`. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** The version that the view shows; absent before it is complete. */
  get resourceVersion(): string | undefined {
    return this.#version;
  }

  /** Adds an index: `valuesOf` must be pure. Call it at any time. */
  index(valuesOf: (object: T) => readonly string[]): ObjectIndex<T> {
    return this.#picture.view.index(valuesOf);
  }

  /** Tells `handler` of what is known now, then of every change, until the result is disposed. */
  handle(handler: InformerHandler<T>): Disposable {
    for (const object of this.#picture.view.list()) handler.added?.(object);
    return this.#picture.subscribe(handler);
  }

  /** Tells `handler` of every change from now on, until the result is disposed. */
  subscribe(handler: InformerHandler<T>): Disposable {
    return this.#picture.subscribe(handler);
  }

  /** Puts in what this process has just written, unless something newer is there. */
  wrote(object: KubeObject): void {
    this.#picture.wrote(object as T);
  }

  /** Takes out what this process has just removed for good. */
  removed(object: KubeObject): void {
    this.#picture.removed(object);
  }

  /** Reads everything anew: what is known may be of a history that is no more. */
  beginAnew(): void {
    this.#turns++;
    if (this.#hasSynced) this.#renew();
    this.#version = undefined;
    this.#watch?.abort();
  }

  /**
   * Keeps the view up to date until `signal` aborts.
   *
   * @throws what {@linkcode classify} calls hopeless, and what a handler throws
   */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    // What was seen in an earlier run is old by now.
    if (this.#hasRun) this.#renew();
    this.#hasRun = true;
    let expired = false;
    try {
      while (!signal.aborted) {
        const started = this.#options.clock.monotonic();
        const error = await this.#watchOnce(signal);
        if (signal.aborted) return;
        // One that ends sooner is a failure though it told something, or the tries would spin.
        if (this.#options.clock.monotonic() - started >= HEALTHY_AFTER) failures = 0;
        // The store is back and has told so: this is no failure more. Twice in turn it is one.
        const expires = isAppError(error, "Expired");
        if (expires && !expired) failures = 0;
        expired = expires;
        await this.#recover(error, failures++, signal);
        if (failures > 1 && await this.#isGone(error, signal)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#synced.reject(error);
      throw error;
    } finally {
      this.#picture.dropSnapshot();
      this.#synced.reject(signal.reason);
    }
  }

  /** Everything is to be read before the view is complete again. */
  #renew(): void {
    this.#version = undefined;
    this.#hasSynced = false;
    const before = this.#synced;
    this.#synced = Promise.withResolvers();
    // Who waits since a `beginAnew` between two runs waits for the same.
    before.resolve(this.#synced.promise);
    this.#synced.promise.catch(() => {});
  }

  async #recover(error: unknown, failures: number, signal: AbortSignal): Promise<void> {
    const recovery = classify(error);
    if (recovery === "stop") throw error;
    if (recovery === "relist") this.#version = undefined;
    const { backoff = DEFAULT_BACKOFF, clock, random } = this.#options;
    // The first try after a watch that lasted is free: expired versions are everyday.
    const wait = failures === 0 ? ms(0) : backoffDelay(backoff, failures - 1, random);
    if (error !== undefined) this.#watchLog.failed(error, { recovery, failures, wait });
    if (wait > 0) await sleep(clock, wait, signal);
  }

  async #isGone(error: unknown, signal: AbortSignal): Promise<boolean> {
    // Of a server that is away nothing is known.
    if (isTold(error) || !await this.#options.gone?.(signal)) return false;
    this.#picture.beginSnapshot();
    this.#picture.endSnapshot();
    this.#hasSynced = true;
    this.#synced.resolve();
    this.#log.info("the kind is served no more: it is not watched until it is asked for again");
    return true;
  }

  /** One watch from its start to its end; gives the error that ended it. */
  async #watchOnce(signal: AbortSignal): Promise<unknown> {
    const { store, resource, selection = {} } = this.#options;
    const turn = this.#turns;
    const from = this.#version === undefined ? {} : { resourceVersion: this.#version };
    if (this.#version === undefined) this.#picture.beginSnapshot();
    let watch: Watch;
    try {
      watch = await store.watch(resource, { ...selection, ...from, buffer: BUFFER });
    } catch (error) {
      return error;
    }
    const stop = (): void => watch.abort();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    this.#watch = watch;
    const events = watch[Symbol.asyncIterator]();
    try {
      while (turn === this.#turns) {
        let event: WatchEvent;
        try {
          const result = await events.next();
          if (result.done) return undefined;
          event = result.value;
        } catch (error) {
          return error;
        }
        if (turn === this.#turns) this.#apply(event);
      }
      return undefined;
    } finally {
      signal.removeEventListener("abort", stop);
      this.#watch = undefined;
      this.#picture.dropSnapshot();
      watch.abort();
    }
  }

  #apply(event: WatchEvent): void {
    const complete = event.type === "BOOKMARK" && event.initialEnd === true;
    if (event.type !== "BOOKMARK") this.#picture.apply(event);
    else if (complete) this.#picture.endSnapshot();
    // Versions of a snapshot come in any order, so the version waits for its end.
    if (this.#picture.inSnapshot) return;
    this.#version = event.resourceVersion;
    this.#watchLog.heard();
    if (!complete) return;
    this.#hasSynced = true;
    this.#synced.resolve();
  }
}
