/** What tests of a faulty API server need: one who looks, one who writes, and a clock that hurries. */
import assert from "node:assert/strict";
import { type KubeObject, type ObjectRef, RESOURCES } from "../../core/api/mod.ts";
import { Informer } from "../../core/cache/mod.ts";
import {
  type Clock,
  createLogger,
  isAppError,
  ms,
  type Random,
  seededRandom,
  sleep,
  systemClock,
  systemRandom,
} from "../../core/base/mod.ts";
import { RemoteWatch } from "../../core/kube/remote_watch.ts";
import type { Selection, Store, WatchOptions } from "../../core/store/mod.ts";
import { until } from "../e2e/gateway_process_lib.ts";

const { configmaps } = RESOURCES;

/** The machine's clock, `speed` times as fast: 75 s of silence pass in 4. */
export function hastyClock(speed: number): Clock {
  return {
    now: systemClock.now,
    monotonic: () => ms(systemClock.monotonic() * speed),
    timer: (delay, fn) => systemClock.timer(ms(delay / speed), fn),
  };
}

/** Options of {@linkcode Follow}. */
export interface FollowOptions {
  readonly store: Pick<Store, "watch">;
  readonly selection: Selection;
  readonly clock?: Clock;
}

/**
 * An informer and what it told: a handler keeps its own copy by the calls alone, and each call must
 * fit what it has, so that nothing is told twice and no deletion is made up.
 */
export class Follow implements AsyncDisposable {
  readonly informer: Informer;
  /** By name, as told. */
  readonly told = new Map<string, KubeObject>();
  /** Names, in the order in which they were told as deleted. */
  readonly deleted: string[] = [];
  /** From where each watch began: a version, or the beginning. */
  readonly watches: string[] = [];
  /** What was logged. */
  log = "";
  /** Watches wait as long as this is set. */
  gate: Promise<void> | undefined;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #mistakes: string[] = [];
  #watch: RemoteWatch | undefined;

  constructor({ store, selection, clock = systemClock }: FollowOptions) {
    this.informer = new Informer({
      store: {
        watch: async (resource, options: WatchOptions = {}) => {
          this.watches.push(options.resourceVersion ?? "beginning");
          await this.gate;
          const watch = await store.watch(resource, options);
          if (watch instanceof RemoteWatch) this.#watch = watch;
          return watch;
        },
      },
      resource: configmaps,
      selection,
      clock,
      random: systemRandom,
      log: createLogger({
        level: "debug",
        clock: systemClock,
        write: (line) => void (this.log += `${line}\n`),
      }),
    });
    this.#listen();
    this.#running = this.informer.run(this.#stop.signal);
    // Whoever disposes of it is told.
    this.#running.catch(() => {});
  }

  #listen(): void {
    this.informer.handle({
      added: (object) => {
        const { name } = object.metadata;
        if (this.told.has(name)) this.#mistakes.push(`${name} was added twice`);
        this.told.set(name, object);
      },
      updated: (object, previous) => {
        const { name, resourceVersion } = object.metadata;
        const known = this.told.get(name);
        if (known !== previous) this.#mistakes.push(`${name} was updated from what it was not`);
        if (resourceVersion === previous.metadata.resourceVersion) {
          this.#mistakes.push(`${name} was told twice`);
        }
        this.told.set(name, object);
      },
      deleted: ({ metadata: { name } }) => {
        this.deleted.push(name);
        if (!this.told.delete(name)) this.#mistakes.push(`${name} was deleted twice`);
      },
    });
  }

  /** What it knows, by name: UID, version and value. */
  get state(): Record<string, string> {
    return stateOf([...this.told.values()]);
  }

  /** Waits until it shows what the server has, and no call was wrong. */
  async isRight(store: Store, namespace: string): Promise<void> {
    await until("the informer shows what the server has", async () => {
      const { items } = await store.list(configmaps, { namespace });
      assert.deepEqual(this.state, stateOf(items));
      return true;
    }).catch((error) => {
      throw new Error(`${error.message}\n${this.log.split("\n").slice(-20).join("\n")}`);
    });
    assert.deepEqual(this.#mistakes, []);
    const view = stateOf([...this.informer.view.list()]);
    assert.deepEqual(view, this.state, "its view is what it told");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("over"));
    await this.#running;
    await this.#watch?.closed();
  }
}

function stateOf(objects: readonly KubeObject[]): Record<string, string> {
  return Object.fromEntries(
    objects.map(({ metadata: { name, uid, resourceVersion }, ...rest }) => [
      name,
      `${uid} ${resourceVersion} ${rest["data"]?.value}`,
    ]).sort(),
  );
}

/** Makes, changes and deletes ConfigMaps of a namespace; what fails it leaves as it is. */
export class Writer {
  readonly #store: Store;
  readonly #namespace: string;
  readonly #random: Random = seededRandom(7);
  #count = 0;
  /** Writes that the server has confirmed, and those that failed. */
  done = 0;
  failed = 0;

  constructor(store: Store, namespace: string) {
    this.#store = store;
    this.#namespace = namespace;
  }

  /** Where an object of that name is. */
  ref(name: string): ObjectRef {
    return { resource: configmaps, namespace: this.#namespace, name };
  }

  /** Makes one. */
  async make(name: string, value = ""): Promise<KubeObject> {
    return await this.#store.create(configmaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name, namespace: this.#namespace },
      data: { value },
    });
  }

  /** Changes one. */
  async change(name: string, value: string): Promise<void> {
    await this.#store.update(this.ref(name), (object) => ({ ...object, data: { value } }));
  }

  /** Deletes one. */
  async remove(name: string): Promise<void> {
    await this.#store.delete(this.ref(name));
  }

  /** Writes whatever comes to its mind, until `signal`. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#something();
        this.done++;
      } catch (error) {
        if (!isAppError(error)) throw error;
        this.failed++;
        // A server that is not there answers at once.
        await sleep(systemClock, ms(20));
      }
    }
  }

  async #something(): Promise<void> {
    const dice = this.#random();
    const name = `w${Math.floor(this.#random() * 40)}`;
    if (dice < 0.4) await this.make(name, String(this.#count++));
    else if (dice < 0.8) await this.change(name, String(this.#count++));
    else await this.remove(name);
  }
}
