import assert from "node:assert/strict";
import { isAppError, kib, minutes, seededRandom, VirtualClock } from "../base/mod.ts";
import { type KubeObject, RESOURCES } from "../api/mod.ts";
import { openSqliteStore, type SqliteStore, type SqliteStoreOptions, type Tx } from "./mod.ts";

const { configmaps, namespaces, pods, secrets } = RESOURCES;

function open(options: Partial<SqliteStoreOptions> = {}): SqliteStore {
  let uids = 0;
  return openSqliteStore({
    path: ":memory:",
    clock: new VirtualClock(),
    random: seededRandom(1),
    uid: () => `uid-${++uids}`,
    ...options,
  });
}

function configMap(name: string, data: Record<string, string> = {}, namespace = "a"): KubeObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace }, data };
}

const refTo = (name: string) => ({ resource: configmaps, namespace: "a", name });

Deno.test("SqliteStore gives every change the next version", async () => {
  using store = open();
  const created = await store.create(configmaps, configMap("one", { a: "1" }));
  assert.equal(created.metadata.resourceVersion, "1");
  const updated = await store.update(refTo("one"), (current) => ({ ...current, data: {} }));
  assert.equal(updated.metadata.resourceVersion, "2");
  assert.equal((await store.delete(refTo("one"))).metadata.resourceVersion, "3");
  assert.deepEqual(store.versions, { newest: 3, oldest: 0 });
});

Deno.test("SqliteStore.transact() sees its own writes and rolls all of them back when it throws", async () => {
  using store = open();
  await store.create(configmaps, configMap("old"));
  using watch = await store.watch(configmaps, { resourceVersion: "1" });
  const failing = (tx: Tx) => {
    tx.create(configmaps, configMap("one"));
    tx.putRow("space", "key", "value");
    tx.delete(refTo("old"));
    assert.deepEqual(tx.list(configmaps, "a").map(({ metadata }) => metadata.name), ["one"]);
    assert.equal(tx.row("space", "key")?.value, "value");
    throw new RangeError("no");
  };
  assert.throws(() => store.transact(failing), RangeError);
  assert.equal((await store.list(configmaps)).items.length, 1);
  assert.equal(store.versions.newest, 1);
  store.transact((tx) => {
    assert.equal(tx.row("space", "key"), undefined);
    tx.create(configmaps, configMap("two"));
  });
  const { value } = await watch[Symbol.asyncIterator]().next();
  assert.ok(value.type === "ADDED" && value.object.metadata.name === "two");
});

Deno.test("SqliteStore.transact() goes on after an AppError that its function caught", () => {
  using store = open();
  store.transact((tx) => {
    tx.create(configmaps, configMap("one"));
    assert.throws(() => tx.create(configmaps, configMap("one")), /already exists/);
    tx.create(configmaps, configMap("two"));
  });
  assert.equal(store.transact((tx) => tx.list(configmaps).length), 2);
});

Deno.test("SqliteStore.transact() refuses misuse: nesting, awaiting, using it later", async () => {
  using store = open();
  let kept: Tx | undefined;
  store.transact((tx) => {
    kept = tx;
  });
  assert.throws(() => kept?.create(configmaps, configMap("late")), TypeError);
  assert.throws(() => kept?.row("a", "b"), TypeError);
  assert.throws(() => store.transact(() => store.transact(() => 1)), TypeError);
  // deno-lint-ignore require-await -- this is the mistake under test
  const awaiting = async (tx: Tx) => tx.create(configmaps, configMap("async"));
  assert.throws(() => store.transact(awaiting), TypeError);
  assert.deepEqual((await store.list(configmaps)).items, []);
});

Deno.test("SqliteStore.transact() without waiting for the disk is seen, kept and rolled back alike", async () => {
  const dir = await Deno.makeTempDir();
  const lazy = { durable: false };
  {
    using store = open({ path: `${dir}/store.db` });
    store.transact((tx) => tx.create(configmaps, configMap("one")), lazy);
    assert.equal((await store.list(configmaps)).items[0]?.metadata.name, "one");
    const failing = (tx: Tx) => {
      tx.create(configmaps, configMap("two"));
      throw new RangeError("no");
    };
    assert.throws(() => store.transact(failing, lazy), RangeError);
    assert.throws(() => store.transact(() => store.transact(() => {}, lazy)), TypeError);
    store.transact((tx) => tx.putRow("space", "key", "value"));
    store.transact((tx) => tx.putRow("space", "last", "value"), lazy);
  }
  using store = open({ path: `${dir}/store.db` });
  assert.equal((await store.list(configmaps)).items.length, 1);
  assert.equal(store.transact((tx) => tx.rows("space")).length, 2);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("Tx rows keep the order of their writes, and a deleted seq never comes back", () => {
  const path = Deno.makeTempFileSync();
  try {
    {
      using store = open({ path });
      store.transact((tx) => {
        for (const key of ["a", "b", "c"]) tx.putRow("outbox", key, `${key}1`);
        tx.putRow("outbox", "a", "a2");
        tx.putRow("other", "a", "x");
        assert.deepEqual(tx.rows("outbox").map(({ key, seq }) => [key, seq]), [
          ["b", 2],
          ["c", 3],
          ["a", 4],
        ]);
        assert.deepEqual(tx.rows("outbox", { afterSeq: 2, limit: 1 }), [
          { key: "c", seq: 3, value: "c1" },
        ]);
        assert.equal(tx.deleteRow("outbox", "a", 1), false);
        assert.equal(tx.deleteRow("outbox", "a", 4), true);
        assert.equal(tx.deleteRow("outbox", "a"), false);
        tx.deleteRow("other", "a");
      });
    }
    using store = open({ path });
    assert.equal(store.transact((tx) => tx.putRow("outbox", "d", "d1")).seq, 6);
    assert.equal(store.versions.newest, 0);
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("Tx.put() writes another store's object as it is, and nothing when it is the same", async () => {
  using store = open();
  using watch = await store.watch(pods);
  const events = watch[Symbol.asyncIterator]();
  await events.next();
  const replica: KubeObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "web",
      namespace: "a",
      uid: "origin-1",
      resourceVersion: "4711",
      generation: 9,
      creationTimestamp: "2020-01-01T00:00:00Z",
      deletionTimestamp: "2020-01-02T00:00:00Z",
    },
    spec: { nodeName: "n1" },
    status: { phase: "Running" },
  };
  const put = () => store.transact((tx) => tx.put(pods, replica));
  const stored = put();
  assert.equal(stored.metadata.resourceVersion, "1");
  assert.deepEqual(
    { ...stored, metadata: { ...stored.metadata, resourceVersion: "4711" } },
    replica,
  );
  assert.equal(put().metadata.resourceVersion, "1");
  replica.status = { phase: "Failed" };
  assert.equal(put().status?.phase, "Failed");
  replica.metadata.uid = "origin-2";
  put();
  const seen: string[] = [];
  while (seen.length < 4) {
    const { value } = await events.next();
    assert.ok(value && value.type !== "BOOKMARK");
    seen.push(`${value.type} ${value.object.metadata.uid}`);
  }
  assert.deepEqual(seen, [
    "ADDED origin-1",
    "MODIFIED origin-1",
    "DELETED origin-1",
    "ADDED origin-2",
  ]);
});

Deno.test("Tx.purge() removes at once what finalizers hold, if the preconditions hold", async () => {
  using store = open();
  const held = configMap("one");
  held.metadata.finalizers = ["a.b/c"];
  const { metadata } = await store.create(configmaps, held);
  const purge = (uid: string) => store.transact((tx) => tx.purge(refTo("one"), { uid }));
  assert.equal(purge("another"), false);
  assert.equal(purge(metadata.uid ?? ""), true);
  assert.equal(purge(metadata.uid ?? ""), false);
  assert.deepEqual((await store.list(configmaps)).items, []);
});

Deno.test("SqliteStore with checkNamespaces needs the namespace to exist and to stay", async () => {
  using store = open({ checkNamespaces: true });
  const fails = (code: "NotFound" | "Forbidden", text: RegExp) =>
    assert.rejects(store.create(configmaps, configMap("one")), (error) => {
      assert.ok(isAppError(error, code));
      assert.match(error.message, text);
      return true;
    });
  await fails("NotFound", /^namespaces "a" not found$/);
  const space = { apiVersion: "v1", kind: "Namespace", metadata: { name: "a" } };
  const created = await store.create(namespaces, {
    ...space,
    spec: { finalizers: ["kubernetes"] },
  });
  assert.deepEqual(created.status, { phase: "Active" });
  await store.create(configmaps, configMap("one"));
  const marked = await store.delete({ resource: namespaces, name: "a" });
  assert.deepEqual(marked.status, { phase: "Terminating" });
  await store.delete(refTo("one"));
  await fails("Forbidden", /because it is being terminated$/);
  await store.update({ resource: namespaces, name: "a" }, (current) => ({ ...current, spec: {} }));
  assert.deepEqual((await store.list(namespaces)).items, []);
});

Deno.test("SqliteStore forgets old changes in slices, and says Expired to who needs them", async () => {
  const clock = new VirtualClock();
  using store = open({ clock, keepEvents: 300, keepFor: minutes(5) });
  for (let i = 0; i < 600; i++) await store.create(configmaps, configMap(`c${i}`));
  assert.equal(store.versions.oldest, 0, "young changes stay beyond the number");
  const page = await store.list(configmaps, { limit: 10 });
  using lazy = await store.watch(configmaps, { resourceVersion: "1" });
  using started = await store.watch(configmaps);
  await started[Symbol.asyncIterator]().next();
  await clock.advance(minutes(6));
  for (let i = 600; i < 640; i++) await store.create(configmaps, configMap(`c${i}`));
  const { oldest, newest } = store.versions;
  assert.ok(oldest > 1 && newest - oldest >= 300, `${oldest}..${newest}`);
  const expired = (error: unknown) => isAppError(error, "Expired");
  await assert.rejects(store.watch(configmaps, { resourceVersion: "1" }), expired);
  await assert.rejects(lazy[Symbol.asyncIterator]().next(), expired);
  for (let i = 640; i < 1200; i++) await store.create(configmaps, configMap(`c${i}`));
  await clock.advance(minutes(6));
  for (let i = 1200; i < 1210; i++) await store.create(configmaps, configMap(`c${i}`));
  assert.ok(store.versions.oldest > Number(page.resourceVersion));
  await assert.rejects(
    store.list(configmaps, { limit: 10, continue: page.continue ?? "" }),
    expired,
  );
  await assert.rejects(async () => {
    for await (const event of started) assert.equal(event.type, "ADDED");
  }, expired);
  using kept = await store.watch(configmaps, { resourceVersion: String(store.versions.oldest) });
  const { value } = await kept[Symbol.asyncIterator]().next();
  assert.equal(value.resourceVersion, String(store.versions.oldest + 1));
});

Deno.test("SqliteStore keeps at most four times the number of changes however young", async () => {
  using store = open({ keepEvents: 300 });
  for (let i = 0; i < 2000; i++) await store.create(configmaps, configMap(`c${i}`));
  const { oldest, newest } = store.versions;
  assert.ok(newest - oldest < 4 * 300 + 256, `${newest - oldest} changes are kept`);
});

Deno.test("SqliteStore gives a quiet watch a bookmark while others are busy", async () => {
  using store = open();
  using watch = await store.watch(configmaps, { resourceVersion: "0" });
  const events = watch[Symbol.asyncIterator]();
  const next = events.next();
  store.transact((tx) => {
    for (let i = 0; i < 1500; i++) tx.create(secrets, configMap(`s${i}`));
  });
  assert.deepEqual((await next).value, { type: "BOOKMARK", resourceVersion: "1500" });
});

Deno.test("SqliteStore.watch() refuses a version from the future", async () => {
  using store = open();
  await assert.rejects(
    store.watch(configmaps, { resourceVersion: "5" }),
    (error) => isAppError(error, "Expired"),
  );
});

Deno.test("SqliteStore ends its watches when it is closed, and then says so", async () => {
  const store = open();
  const watch = await store.watch(configmaps, { resourceVersion: "0" });
  const parked = watch[Symbol.asyncIterator]().next();
  store[Symbol.dispose]();
  store[Symbol.dispose]();
  assert.equal((await parked).done, true);
  await assert.rejects(store.list(configmaps), (error) => isAppError(error, "ServiceUnavailable"));
});

Deno.test("SqliteStore refuses objects that are no JSON or too large, and stays usable", async () => {
  using store = open();
  const cycle = configMap("cycle");
  cycle["self"] = cycle;
  await assert.rejects(store.create(configmaps, cycle), (error) => isAppError(error, "BadRequest"));
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  await assert.rejects(
    store.create(configmaps, { ...configMap("deep"), deep }),
    (error) => isAppError(error, "BadRequest"),
  );
  const large = configMap("large", { text: "x".repeat(5_000_000) });
  await assert.rejects(
    store.create(configmaps, large),
    (error) => isAppError(error, "RequestEntityTooLarge"),
  );
  await store.create(configmaps, configMap("one"));
  assert.equal((await store.list(configmaps)).items.length, 1);
});

Deno.test("SqliteStore survives a full disk: it says so, loses nothing, and goes on with space", async () => {
  const path = await Deno.makeTempFile();
  const text = "x".repeat(10_000);
  const full = (error: unknown) => {
    assert.ok(isAppError(error, "ServiceUnavailable"), String(error));
    assert.match(error.message, /disk .*full/);
    return true;
  };
  let stored = 0;
  {
    using store = open({ path, maxSize: kib(256) });
    const fill = async () => {
      for (; stored < 100; stored++) {
        await store.create(configmaps, configMap(`c${stored}`, { text }));
      }
    };
    await assert.rejects(fill(), full);
    assert.ok(stored > 5);
    assert.equal((await store.list(configmaps)).items.length, stored);
    assert.equal(store.versions.newest, stored);
    // Who catches the failure inside a transaction still cannot commit the rest of it.
    const stubborn = (tx: Tx) => {
      tx.putRow("small", "row", "fits");
      assert.throws(() => tx.create(configmaps, configMap("big", { text: text.repeat(10) })), full);
      assert.throws(() => tx.putRow("after", "failure", "no"), full);
    };
    assert.throws(() => store.transact(stubborn), full);
    assert.deepEqual(store.transact((tx) => [...tx.rows("small"), ...tx.rows("after")]), []);
  }
  {
    using store = open({ path });
    assert.equal((await store.list(configmaps)).items.length, stored);
    const next = await store.create(configmaps, configMap("next", { text }));
    assert.equal(next.metadata.resourceVersion, String(stored + 1));
  }
  await Deno.remove(path);
});
