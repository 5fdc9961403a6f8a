import assert from "node:assert/strict";
import { type KubeObject, RESOURCES } from "../api/mod.ts";
import {
  AppError,
  minutes,
  ms,
  seconds,
  seededRandom,
  silentLogger,
  VirtualClock,
} from "../base/mod.ts";
import { Informer } from "../cache/mod.ts";
import { openSqliteStore, type Store, type Watch } from "../store/mod.ts";
import {
  Actor,
  canonicalJson,
  type Change,
  createController,
  isRemoved,
  jsonEqual,
  keyOf,
  splitKey,
  trigger,
  View,
  Views,
} from "./mod.ts";

const config = (name: string, data: Record<string, string> = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
  data,
});
const refOf = (name: string) => ({ resource: RESOURCES.configmaps, namespace: "default", name });

/** Lets pending work run; everything here is driven by microtasks. */
async function settle(): Promise<void> {
  for (let i = 0; i < 200; i++) await Promise.resolve();
}

function parts() {
  const clock = new VirtualClock();
  const store = openSqliteStore({ path: ":memory:", clock });
  return { clock, store, random: seededRandom(1), log: silentLogger };
}

/** A store whose watches can be cut with an error, as a slow reader's are. */
function cuttable(store: Store): { store: Store; cut: () => void } {
  let fail: ((error: unknown) => void)[] = [];
  const watch: Store["watch"] = async (resource, options) => {
    const inner = await store.watch(resource, options);
    const broken = Promise.withResolvers<never>();
    broken.promise.catch(() => {});
    fail.push(broken.reject);
    const outer: Watch = {
      abort: () => inner.abort(),
      [Symbol.dispose]: () => inner.abort(),
      async *[Symbol.asyncIterator]() {
        const events = inner[Symbol.asyncIterator]();
        while (true) {
          const next = await Promise.race([events.next(), broken.promise]);
          if (next.done) return;
          yield next.value;
        }
      },
    };
    return outer;
  };
  const wrapped = new Proxy(store, {
    get(target, name) {
      if (name === "watch") return watch;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return {
    store: wrapped,
    cut: () => {
      for (const reject of fail) reject(new AppError("Expired", "too slow"));
      fail = [];
    },
  };
}

Deno.test("View follows a store, finds by index, and tells of changes with the state before", async () => {
  const all = parts();
  using _ = all.store;
  await all.store.create(RESOURCES.configmaps, config("a"));
  const view = new View(new Informer({ ...all, resource: RESOURCES.configmaps }), {
    color: (object) => object["data"]?.color ? [object["data"].color] : [],
  });
  const told: string[] = [];
  using _listener = view.subscribe(({ key, object, before }: Change<KubeObject>) => {
    told.push(`${key} ${before ? "1" : "0"}${object ? "1" : "0"}`);
  });
  const stop = new AbortController();
  const running = view.run(stop.signal);
  await view.synced;
  assert.equal(view.size, 1);
  await all.store.create(RESOURCES.configmaps, config("b", { color: "red" }));
  await settle();
  assert.deepEqual(view.by("color", "red").map(keyOf), ["default/b"]);
  await all.store.update(refOf("b"), (object) => ({ ...object, data: { color: "blue" } }));
  await settle();
  assert.deepEqual(view.by("color", "red"), []);
  assert.deepEqual(view.by("color", "blue").map(keyOf), ["default/b"]);
  await all.store.delete(refOf("b"));
  await settle();
  assert.deepEqual(view.by("color", "blue"), []);
  assert.deepEqual(told, ["default/a 01", "default/b 01", "default/b 11", "default/b 10"]);
  assert.throws(() => view.by("size", "1"), RangeError);
  stop.abort();
  await running;
});

Deno.test("View takes its watch up again after it was cut, and drops what went meanwhile", async () => {
  const all = parts();
  using _ = all.store;
  const { store, cut } = cuttable(all.store);
  for (const name of ["a", "b", "c"]) {
    await all.store.create(RESOURCES.configmaps, config(name));
  }
  const view = new View(new Informer({ ...all, store, resource: RESOURCES.configmaps }));
  const stop = new AbortController();
  const running = view.run(stop.signal);
  await view.synced;
  cut();
  await settle();
  await all.store.delete(refOf("a"));
  await all.store.delete(refOf("b"));
  await all.store.create(RESOURCES.configmaps, config("b", { second: "life" }));
  await all.store.create(RESOURCES.configmaps, config("d"));
  await all.clock.advance(seconds(20));
  await settle();
  assert.deepEqual(view.all().map(keyOf).sort(), ["default/b", "default/c", "default/d"]);
  assert.equal(view.get("default/b")?.["data"].second, "life");
  stop.abort();
  await running;
});

Deno.test("View shows this process's own writes at once, and late echoes do not undo what came after", async () => {
  const all = parts();
  using _ = all.store;
  const view = new View(new Informer({ ...all, resource: RESOURCES.configmaps }));
  const stop = new AbortController();
  const running = view.run(stop.signal);
  await view.synced;
  const first = await all.store.create(RESOURCES.configmaps, config("a"));
  view.wrote(first);
  assert.equal(view.size, 1);
  const second = await all.store.update(refOf("a"), (o) => ({ ...o, data: { x: "2" } }));
  view.wrote(second);
  view.wrote(first); // an older answer that comes late
  assert.equal(view.get("default/a")?.["data"].x, "2");
  let changes = 0;
  using _listener = view.subscribe(() => void changes++);
  view.wrote(second); // a write that changed nothing must not wake its writer
  await settle(); // and neither must the echo of the watch
  assert.equal(changes, 0);
  await all.store.delete(refOf("a"));
  await settle();
  view.wrote(second); // an answer that comes after the object's end
  assert.equal(view.size, 0);
  stop.abort();
  await running;
});

Deno.test("createController() waits for its views, works each key, retries failures, and looks again", async () => {
  const all = parts();
  using _ = all.store;
  await all.store.create(RESOURCES.configmaps, config("a"));
  const views = new Views(all);
  const view = views.of(RESOURCES.configmaps);
  const seen: string[] = [];
  let fail = 2;
  const controller = createController({
    ...all,
    name: "test",
    resync: minutes(10),
    triggers: [trigger(view, (object, gone) => gone ? [`gone ${keyOf(object)}`] : [keyOf(object)])],
    // deno-lint-ignore require-await -- the shape of a reconcile
    reconcile: async (key) => {
      seen.push(`${key} ${view.size}`);
      if (fail-- > 0) throw new Error("not yet");
      return key === "default/b" && seen.length < 6 ? seconds(30) : undefined;
    },
  });
  const stop = new AbortController();
  let ready = false;
  const running = controller.run(stop.signal, () => {
    ready = true;
  });
  await settle();
  assert.deepEqual([ready, seen], [false, []]);
  const following = views.service("views").run(stop.signal, () => {});
  await settle();
  assert.equal(ready, true);
  await all.clock.advance(seconds(1));
  assert.deepEqual(seen, ["default/a 1", "default/a 1", "default/a 1"]);
  await all.store.create(RESOURCES.configmaps, config("b"));
  await settle();
  assert.equal(seen.at(-1), "default/b 2");
  const before = seen.length;
  await all.clock.advance(seconds(31));
  assert.equal(seen.length, before + 1);
  await all.store.delete(refOf("b"));
  await settle();
  assert.equal(seen.at(-1), "gone default/b 1");
  await all.clock.advance(minutes(10));
  assert.equal(seen.at(-1), "default/a 1");
  stop.abort();
  await Promise.all([running, following]);
});

Deno.test("createController() ends although its views never sync", async () => {
  const all = parts();
  using _ = all.store;
  const view = new View(new Informer({ ...all, resource: RESOURCES.configmaps }));
  const controller = createController({
    ...all,
    name: "test",
    triggers: [trigger(view, () => [])],
    reconcile: () => Promise.resolve(),
  });
  const stop = new AbortController();
  const running = controller.run(stop.signal, () => assert.fail("it must not get ready"));
  await settle();
  stop.abort();
  await running;
});

Deno.test("Actor refuses to write over what has changed, and takes a missing object for deleted", async () => {
  const all = parts();
  using _ = all.store;
  const actor = new Actor(all.store);
  const [made] = await actor.run([
    { do: "create", resource: RESOURCES.configmaps, object: config("a") },
  ]);
  assert.ok(made);
  await all.store.update(refOf("a"), (object) => ({ ...object, data: { x: "1" } }));
  const stale = { ...made, data: { x: "2" } };
  await assert.rejects(
    actor.run([{ do: "update", resource: RESOURCES.configmaps, object: stale }]),
    (error) => error instanceof AppError && error.code === "Conflict",
  );
  await all.store.delete(refOf("a"));
  const again = await all.store.create(RESOURCES.configmaps, config("a"));
  // The uid tells that this is another object of the same name, which must stay.
  await actor.run([{ do: "delete", resource: RESOURCES.configmaps, object: made }]);
  assert.equal((await all.store.get(refOf("a"))).metadata.uid, again.metadata.uid);
  await actor.run([{ do: "delete", resource: RESOURCES.configmaps, object: again }]);
  await actor.run([{ do: "delete", resource: RESOURCES.configmaps, object: again }]);
});

Deno.test("keys, equality and removal follow their rules", () => {
  assert.deepEqual(splitKey("ns/name"), { namespace: "ns", name: "name" });
  assert.deepEqual(splitKey("name"), { name: "name" });
  assert.equal(jsonEqual({ a: 1, b: undefined }, { a: 1 }), true);
  assert.equal(jsonEqual({ a: 1 }, { a: 1, b: null }), false);
  assert.equal(jsonEqual([1, [2]], [1, [2]]), true);
  assert.equal(jsonEqual([], {}), false);
  assert.equal(jsonEqual(null, {}), false);
  assert.equal(canonicalJson({ b: [{ d: 1, c: null }], a: undefined }), '{"b":[{"c":null,"d":1}]}');
  const object = (
    metadata: object,
    spec = {},
  ) => ({ ...config("a"), metadata, spec } as KubeObject);
  const leaving = { name: "a", deletionTimestamp: "t", deletionGracePeriodSeconds: 0 };
  assert.equal(isRemoved(object({ name: "a" })), false);
  assert.equal(isRemoved(object(leaving)), true);
  assert.equal(isRemoved(object({ ...leaving, finalizers: ["x"] })), false);
  assert.equal(isRemoved(object(leaving, { finalizers: ["kubernetes"] })), false);
  assert.equal(isRemoved(object({ ...leaving, deletionGracePeriodSeconds: 30 })), false);
  assert.equal(ms(1), 1);
});
