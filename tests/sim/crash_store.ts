import type { Clock, Ms } from "../../core/base/mod.ts";
import type { KubeObject, ObjectRef, ResourceDef } from "../../core/api/mod.ts";
import type {
  DeleteOptions,
  ListOptions,
  ListResult,
  LocalStore,
  TransactOptions,
  Tx,
  UpdateOptions,
  Watch,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "../../core/store/mod.ts";

/** Where in a transaction the process dies. */
export type CrashPoint = "before" | "inside" | "after";

/** What a {@linkcode CrashStore} does beside storing. */
export interface CrashOptions {
  readonly clock: Clock;
  /** The process dies here and now: its connections break, nothing of it goes on. */
  readonly onCrash: () => void;
  /** Delay of a watch event, as a real API server has. @default {none} */
  readonly lag?: () => Ms;
  /** For showing that the simulation notices: a transaction that does something wrong. */
  readonly mutate?: (tx: Tx) => Tx;
}

/** The error of everything that a dead process tries. */
export class ProcessDied extends Error {
  override readonly name = "ProcessDied";
}

/**
 * A process's view of a store that outlives it. A crash can be armed for the next transaction;
 * after it every call of this process fails, while what was committed stays.
 */
export class CrashStore implements LocalStore {
  readonly #inner: LocalStore;
  readonly #options: CrashOptions;
  #armed: CrashPoint | undefined;
  #dead = false;

  constructor(inner: LocalStore, options: CrashOptions) {
    this.#inner = inner;
    this.#options = options;
  }

  /** The process dies in its next writing transaction. */
  arm(point: CrashPoint): void {
    this.#armed = point;
  }

  /** The process is dead. */
  kill(): void {
    this.#dead = true;
  }

  transact<T>(fn: (tx: Tx) => T, options?: TransactOptions): T {
    this.#check();
    const point = this.#armed;
    this.#armed = undefined;
    if (point === "before") this.#crash();
    const { mutate } = this.#options;
    let result: T;
    try {
      result = this.#inner.transact((tx) => {
        const done = fn(mutate ? mutate(tx) : tx);
        if (point === "inside") throw new ProcessDied("inside a transaction");
        return done;
      }, options);
    } catch (error) {
      if (error instanceof ProcessDied) this.#crash();
      throw error;
    }
    if (point === "after") this.#crash();
    return result;
  }

  // deno-lint-ignore require-await -- a throw must reject
  async get(ref: ObjectRef): Promise<KubeObject> {
    this.#check();
    return this.#inner.get(ref);
  }

  // deno-lint-ignore require-await -- a throw must reject
  async list(resource: ResourceDef, options?: ListOptions): Promise<ListResult> {
    this.#check();
    return this.#inner.list(resource, options);
  }

  create(resource: ResourceDef, object: KubeObject, options?: WriteOptions): Promise<KubeObject> {
    return this.#write(() => this.#inner.create(resource, object, options));
  }

  update(
    ref: ObjectRef,
    change: (current: KubeObject) => KubeObject,
    options?: UpdateOptions,
  ): Promise<KubeObject> {
    return this.#write(() => this.#inner.update(ref, change, options));
  }

  delete(ref: ObjectRef, options?: DeleteOptions): Promise<KubeObject> {
    return this.#write(() => this.#inner.delete(ref, options));
  }

  async watch(resource: ResourceDef, options?: WatchOptions): Promise<Watch> {
    this.#check();
    const watch = await this.#inner.watch(resource, options);
    const { clock, lag } = this.#options;
    return lag ? new LaggedWatch(watch, clock, lag) : watch;
  }

  epoch(): Promise<string> {
    return this.#inner.epoch();
  }

  [Symbol.dispose](): void {
    this.kill();
  }

  async #write<T>(write: () => Promise<T>): Promise<T> {
    this.#check();
    const point = this.#armed;
    this.#armed = undefined;
    if (point === "before" || point === "inside") this.#crash();
    const result = await write();
    if (point === "after") this.#crash();
    this.#check();
    return result;
  }

  #check(): void {
    if (this.#dead) throw new ProcessDied("this process has died");
  }

  #crash(): never {
    this.#dead = true;
    this.#options.onCrash();
    throw new ProcessDied("crash point");
  }
}

class LaggedWatch implements Watch, AsyncIterator<WatchEvent> {
  readonly #inner: Watch;
  readonly #events: AsyncIterator<WatchEvent>;
  readonly #clock: Clock;
  readonly #lag: () => Ms;

  constructor(inner: Watch, clock: Clock, lag: () => Ms) {
    this.#inner = inner;
    this.#events = inner[Symbol.asyncIterator]();
    this.#clock = clock;
    this.#lag = lag;
  }

  async next(): Promise<IteratorResult<WatchEvent>> {
    const result = await this.#events.next();
    const wait = this.#lag();
    if (wait > 0) await new Promise<void>((resolve) => this.#clock.timer(wait, resolve));
    return result;
  }

  abort(): void {
    this.#inner.abort();
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchEvent> {
    return this;
  }

  [Symbol.dispose](): void {
    this.abort();
  }
}
