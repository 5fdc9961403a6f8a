import assert from "node:assert/strict";
import fc from "fast-check";
import {
  isAppError,
  ms,
  seconds,
  seededRandom,
  silentLogger,
  VirtualClock,
} from "../../core/base/mod.ts";
import { type KubeObject, RESOURCES } from "../../core/api/mod.ts";
import {
  type ListResult,
  openSqliteStore,
  type Selection,
  type SqliteStore,
  type Tx,
  type Watch,
  type WatchEvent,
} from "../../core/store/mod.ts";
import { KIND, Observer, StoreModel, wasm } from "./store_model.ts";

/** One step of a random history. */
type Step =
  | { do: "create"; key: string; spec: number; on: boolean; held: boolean }
  | { do: "update"; key: string; spec: number; on: boolean }
  | { do: "status"; key: string; status: number }
  | { do: "release" | "delete"; key: string }
  | { do: "batch" | "rollback"; steps: Step[] }
  | { do: "noise" | "reopen" | "page" }
  | { do: "watch"; selection: Selection; buffer: number; fromNow: boolean }
  | { do: "drain"; watcher: number };

const key = fc.constantFrom("a/one", "a/two", "b/one", "b/three");
const small = fc.integer({ min: 0, max: 2 });
const write: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("create"), key, spec: small, on: fc.boolean(), held: fc.boolean() }),
  fc.record({ do: fc.constant("update"), key, spec: small, on: fc.boolean() }),
  fc.record({ do: fc.constant("status"), key, status: small }),
  fc.record({ do: fc.constantFrom("release", "delete"), key }),
);
const selection: fc.Arbitrary<Selection> = fc.constantFrom(
  {},
  { namespace: "a" },
  { labelSelector: "on=yes" },
  { namespace: "a", labelSelector: "on=yes" },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: write },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("batch", "rollback"),
      steps: fc.array(write, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("noise", "reopen", "page") }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("watch"),
      selection,
      buffer: fc.constantFrom(2, 1000),
      fromNow: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("drain"), watcher: fc.nat(5) }) },
) as fc.Arbitrary<Step>;

/** The object whose changes tell a reader that it has seen everything before. */
const MARK = "a/zz-mark";

/** A reader that keeps a view by watching, resumes after a cut, and starts anew when it must. */
class Watcher {
  readonly selection: Selection;
  readonly #world: World;
  readonly #buffer: number;
  #watch: Watch | undefined;
  /** Asked for before it is needed, so that the watch is live and fills its buffer. */
  #parked: Promise<IteratorResult<WatchEvent>> | undefined;
  #version: string | undefined;
  #view = new Map<string, string>();
  restarts = 0;

  constructor(world: World, selection: Selection, buffer: number) {
    this.#world = world;
    this.selection = selection;
    this.#buffer = buffer;
  }

  async open(): Promise<void> {
    const from = this.#version === undefined ? {} : { resourceVersion: this.#version };
    try {
      this.#watch = await this.#world.store.watch(KIND, {
        ...this.selection,
        buffer: this.#buffer,
        ...from,
      });
    } catch (error) {
      await this.#restart(error);
    }
  }

  /** Begins with a list, as `kubectl get -w` does. */
  async list(): Promise<void> {
    const { items, resourceVersion } = await this.#world.store.list(KIND, this.selection);
    this.#view = this.#world.observer.view(items);
    this.#version = resourceVersion;
  }

  close(): void {
    this.#watch?.abort();
    this.#watch = undefined;
    this.#parked = undefined;
  }

  /** Reads up to the mark `nonce`; then the view must be the model's. */
  async drain(nonce: number): Promise<void> {
    for (;;) {
      if (!this.#watch) await this.open();
      const watch = this.#watch;
      try {
        if (watch && await this.#read(watch, nonce)) break;
      } catch (error) {
        await this.#restart(error);
      }
    }
    this.#parked = this.#watch?.[Symbol.asyncIterator]().next();
    this.#parked?.catch(() => {});
    const view = new Map(this.#view);
    view.delete(MARK);
    assert.deepEqual(view, this.#world.model.view(this.selection));
  }

  async #read(watch: Watch, nonce: number): Promise<boolean> {
    const events = watch[Symbol.asyncIterator]();
    let marked = false;
    let staged = this.#version === undefined ? new Map<string, string>() : undefined;
    for (;;) {
      const { done, value } = await (this.#parked ?? events.next());
      this.#parked = undefined;
      if (done) throw new Error("the watch ended by itself");
      if (value.type === "BOOKMARK") {
        if (staged && value.initialEnd) {
          this.#view = staged;
          staged = undefined;
        }
        if (!staged) this.#advance(value.resourceVersion);
        if (marked && !staged) return true;
        continue;
      }
      const { object, type } = value;
      const view = staged ?? this.#view;
      const at = `${object.metadata.namespace}/${object.metadata.name}`;
      assert.equal(view.has(at), type !== "ADDED", `${type} ${at} does not fit what came before`);
      if (type === "DELETED") view.delete(at);
      else view.set(at, this.#world.observer.text(object));
      if (!staged) this.#advance(value.resourceVersion);
      marked ||= at === MARK && object.spec.value === nonce;
      if (marked && !staged) return true;
    }
  }

  #advance(version: string): void {
    assert.ok(Number(version) >= Number(this.#version ?? 0), "versions go back");
    this.#version = version;
  }

  async #restart(error: unknown): Promise<void> {
    if (!isAppError(error, "Expired")) throw error;
    this.restarts++;
    this.close();
    this.#version = undefined;
    await this.open();
  }
}

/** The store under test and its model, side by side. */
class World implements AsyncDisposable {
  readonly model = new StoreModel();
  readonly observer = new Observer();
  readonly watchers: Watcher[] = [];
  readonly pages: { first: ListResult; expected: Map<string, string> }[] = [];
  readonly #path: string;
  readonly #clock = new VirtualClock();
  store: SqliteStore;
  #nonce = 0;
  #noise = 0;

  constructor(path: string) {
    this.#path = path;
    this.store = this.#open();
    this.store.transact((tx) => tx.create(KIND, wasm(MARK, 0, true, false)));
  }

  #open(): SqliteStore {
    return openSqliteStore({
      path: this.#path,
      clock: this.#clock,
      random: seededRandom(1),
      keepEvents: 20,
      keepFor: ms(0),
      busyTimeout: seconds(1),
      log: silentLogger,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.store[Symbol.dispose]();
    await Deno.remove(this.#path);
  }

  async run(step: Step): Promise<void> {
    switch (step.do) {
      case "noise":
        return this.#makeNoise();
      case "reopen":
        return this.#reopen();
      case "page":
        return await this.#takePage();
      case "batch":
        return this.store.transact((tx) => {
          for (const one of step.steps) this.#write(tx, one);
        });
      case "rollback":
        return this.#rollBack(step.steps);
      case "watch":
        return await this.#addWatcher(step.selection, step.buffer, step.fromNow);
      case "drain":
        return await this.#drain(step.watcher);
      default:
        this.store.transact((tx) => this.#write(tx, step));
    }
  }

  /** Everything that can be read must agree with the model. */
  async check(): Promise<void> {
    const marks = (view: Map<string, string>) => {
      view.delete(MARK);
      return view;
    };
    for (const selection of [{}, { namespace: "b" }, { labelSelector: "on=yes" }]) {
      const { items } = await this.store.list(KIND, selection);
      assert.deepEqual(marks(this.observer.view(items)), this.model.view(selection));
    }
    for (let i = 0; i < this.watchers.length; i++) await this.#drain(i);
    for (const { first, expected } of this.pages) {
      const found = await this.#restOf(first);
      if (found) assert.deepEqual(marks(this.observer.view(found)), expected);
    }
  }

  /** Does the same to store and model and compares the answers. */
  #write(tx: Tx, step: Step): void {
    switch (step.do) {
      case "create": {
        const expected = this.model.create(step.key, step.spec, step.on, step.held);
        const object = wasm(step.key, step.spec, step.on, step.held);
        const answer = outcome(() => {
          const { metadata } = tx.create(KIND, { ...object, status: { value: 99 } });
          this.observer.born(metadata.uid ?? "", this.model.objects.get(step.key)?.life ?? -1);
        });
        return assert.equal(answer, expected);
      }
      case "update":
        return this.#update(tx, step.key, { spec: step.spec, on: step.on }, (object) => {
          object.spec = { value: step.spec };
          object.metadata.labels = { on: step.on ? "yes" : "no" };
          object.status = { value: 98 };
        });
      case "status":
        return this.#update(tx, step.key, { status: step.status }, (object) => {
          object.spec = { value: 97 };
          object.metadata.labels = {};
          object.status = { value: step.status };
        }, "status");
      case "release":
        return this.#update(tx, step.key, { held: false }, ({ metadata }) => {
          delete metadata.finalizers;
        });
      case "delete": {
        const answer = outcome(() => tx.delete(refTo(step.key)));
        return assert.equal(answer, this.model.delete(step.key));
      }
      default:
        throw new TypeError(`Cannot write a step ${step.do}`);
    }
  }

  #update(
    tx: Tx,
    key: string,
    change: Parameters<StoreModel["update"]>[1],
    edit: (object: KubeObject) => void,
    subresource?: "status",
  ): void {
    const answer = outcome(() =>
      tx.update(refTo(key), (object) => {
        edit(object);
        return object;
      }, subresource ? { subresource } : {})
    );
    assert.equal(answer, this.model.update(key, change));
  }

  #rollBack(steps: readonly Step[]): void {
    const saved = this.model.save();
    const stop = new Error("roll back");
    assert.throws(() =>
      this.store.transact((tx) => {
        for (const step of steps) this.#write(tx, step);
        throw stop;
      }), stop);
    this.model.restore(saved);
  }

  /** Changes of another kind, enough to push older ones out of the log. */
  #makeNoise(): void {
    this.store.transact((tx) => {
      const metadata = { name: "noise", namespace: "a" };
      for (let i = 0; i < 300; i++) {
        tx.put(RESOURCES.secrets, {
          apiVersion: "v1",
          kind: "Secret",
          metadata,
          data: { n: String(this.#noise++) },
        });
      }
    });
  }

  #reopen(): void {
    const { newest } = this.store.versions;
    for (const watcher of this.watchers) watcher.close();
    this.store[Symbol.dispose]();
    this.store = this.#open();
    assert.equal(this.store.versions.newest, newest);
  }

  async #addWatcher(selection: Selection, buffer: number, fromNow: boolean): Promise<void> {
    if (this.watchers.length === 6) return;
    const watcher = new Watcher(this, selection, buffer);
    if (fromNow) await watcher.list();
    await watcher.open();
    this.watchers.push(watcher);
  }

  async #drain(index: number): Promise<void> {
    const watcher = this.watchers[index];
    if (!watcher) return;
    const nonce = ++this.#nonce;
    this.store.transact((tx) =>
      tx.update(refTo(MARK), (mark) => ({ ...mark, spec: { value: nonce } }))
    );
    await watcher.drain(nonce);
  }

  async #takePage(): Promise<void> {
    const expected = this.model.view({});
    this.pages.push({ first: await this.store.list(KIND, { limit: 1 }), expected });
  }

  /** The rest of a list that began long ago; `undefined` when its history is rightly gone. */
  async #restOf(first: ListResult): Promise<KubeObject[] | undefined> {
    const items = [...first.items];
    for (let page = first; page.continue !== undefined;) {
      try {
        page = await this.store.list(KIND, { limit: 1, continue: page.continue });
      } catch (error) {
        assert.ok(isAppError(error, "Expired"));
        assert.ok(Number(first.resourceVersion) < this.store.versions.oldest);
        return undefined;
      }
      assert.equal(page.resourceVersion, first.resourceVersion);
      items.push(...page.items);
    }
    return items;
  }
}

function refTo(key: string) {
  const [namespace = "", name = ""] = key.split("/");
  return { resource: KIND, namespace, name };
}

function outcome(fn: () => unknown): string {
  try {
    fn();
    return "ok";
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
}

Deno.test("SqliteStore behaves like a map of objects in any history, also for its watches and after reopening", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), async (steps) => {
      await using world = new World(await Deno.makeTempFile());
      for (const step of steps) await world.run(step);
      await world.check();
      await world.run({ do: "reopen" });
      await world.check();
    }),
    { numRuns: 150 },
  );
});
