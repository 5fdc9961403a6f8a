import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { AppError, isAppError, ms, VirtualClock } from "../base/mod.ts";
import { type KubeObject, RESOURCES } from "../api/mod.ts";
import {
  DamagedStoreError,
  openSqliteStore,
  quarantineStore,
  type SqliteStore,
  type SqliteStoreOptions,
} from "./mod.ts";
import { guarded } from "./sqlite_errors.ts";

const { configmaps } = RESOURCES;

function open(path: string, options: Partial<SqliteStoreOptions> = {}): SqliteStore {
  return openSqliteStore({ path, clock: new VirtualClock(), busyTimeout: ms(1), ...options });
}

function configMap(name: string): KubeObject {
  const metadata = { name, namespace: "a" };
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data: { text: "x".repeat(500) } };
}

async function inFolder(fn: (path: string) => Promise<void> | void): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await fn(`${folder}/store.db`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function failsWith(code: AppError["code"], text: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(isAppError(error, code), String(error));
    assert.match(error.message, text);
    return true;
  };
}

Deno.test("openSqliteStore() makes files that only their owner can read", () =>
  inFolder(async (path) => {
    using store = open(path);
    await store.create(configmaps, configMap("one"));
    for await (const file of Deno.readDir(path.replace("/store.db", ""))) {
      const { mode } = await Deno.stat(path.replace("store.db", file.name));
      assert.equal((mode ?? 0) & 0o777, 0o600, file.name);
    }
  }));

Deno.test("openSqliteStore() brings back objects, versions, rows and the epoch", () =>
  inFolder(async (path) => {
    let epoch = "";
    let created: KubeObject | undefined;
    {
      using store = open(path);
      created = await store.create(configmaps, configMap("one"));
      store.transact((tx) => tx.putRow("s", "k", "v"));
      epoch = await store.epoch();
    }
    using store = open(path);
    assert.equal(await store.epoch(), epoch);
    assert.deepEqual((await store.list(configmaps)).items, [created]);
    assert.equal(store.transact((tx) => tx.row("s", "k"))?.value, "v");
    using watch = await store.watch(configmaps, { resourceVersion: "0" });
    const { value } = await watch[Symbol.asyncIterator]().next();
    assert.deepEqual(value, { type: "ADDED", object: created, resourceVersion: "1" });
    const second = await store.create(configmaps, configMap("two"));
    assert.equal(second.metadata.resourceVersion, "2");
  }));

Deno.test("openSqliteStore() gives a restored copy another epoch, and refuses its old tokens", () =>
  inFolder(async (path) => {
    let epoch = "";
    let token = "";
    {
      using store = open(path);
      await store.create(configmaps, configMap("one"));
      await store.create(configmaps, configMap("two"));
      epoch = await store.epoch();
      token = (await store.list(configmaps, { limit: 1 })).continue ?? "";
    }
    await Deno.copyFile(path, `${path}.copy`);
    await Deno.rename(`${path}.copy`, path);
    {
      using store = open(path);
      assert.notEqual(await store.epoch(), epoch);
      epoch = await store.epoch();
      await assert.rejects(
        store.list(configmaps, { limit: 1, continue: token }),
        failsWith("Expired", /another history/),
      );
    }
    using forced = open(path, { newEpoch: true });
    assert.notEqual(await forced.epoch(), epoch);
  }));

Deno.test("openSqliteStore() refuses a file that another process has open", () =>
  inFolder(async (path) => {
    using first = open(path);
    assert.throws(() => open(path), failsWith("ServiceUnavailable", /in use/));
    await first.create(configmaps, configMap("one"));
  }));

Deno.test("openSqliteStore() refuses a store of a newer version and leaves it alone", () =>
  inFolder(async (path) => {
    {
      using store = open(path);
      await store.create(configmaps, configMap("one"));
    }
    const newer = new DatabaseSync(path);
    newer.exec("PRAGMA user_version = 99");
    newer.close();
    assert.throws(
      () => open(path),
      failsWith("Unsupported", /schema version 99, .* reads up to 1: run the newer Skerry/),
    );
    const again = new DatabaseSync(path);
    assert.equal(again.prepare("PRAGMA user_version").get()?.["user_version"], 99);
    again.close();
  }));

Deno.test("openSqliteStore() says what is wrong with a folder that is missing", () =>
  inFolder((path) => {
    assert.throws(
      () => open(`${path}/missing/store.db`),
      failsWith("ServiceUnavailable", /cannot be opened/),
    );
  }));

Deno.test("openSqliteStore() finds damage, and quarantineStore() makes room for a new store", () =>
  inFolder(async (path) => {
    let epoch = "";
    {
      using store = open(path);
      for (let i = 0; i < 200; i++) await store.create(configmaps, configMap(`c${i}`));
      epoch = await store.epoch();
    }
    {
      using file = await Deno.open(path, { write: true });
      const { size } = await file.stat();
      for (let at = 8192; at < size; at += 4096) {
        await file.seek(at, Deno.SeekMode.Start);
        await file.write(new Uint8Array(64).fill(0xff));
      }
    }
    const damaged = (error: unknown) => error instanceof DamagedStoreError && error.path === path;
    assert.throws(() => open(path), damaged);
    const moved = quarantineStore(path, new VirtualClock());
    assert.equal(moved, `${path}.damaged-2026-01-01T00-00-00-000Z`);
    assert.ok((await Deno.stat(moved)).size > 0);
    using fresh = open(path);
    assert.notEqual(await fresh.epoch(), epoch);
    assert.deepEqual((await fresh.list(configmaps)).items, []);
  }));

Deno.test("openSqliteStore() calls a file that is no database damaged", () =>
  inFolder(async (path) => {
    await Deno.writeTextFile(path, "this is no database".repeat(1000));
    assert.throws(() => open(path), DamagedStoreError);
  }));

Deno.test("SqliteStore tells of an object whose text cannot be read, and of no other", () =>
  inFolder(async (path) => {
    {
      using store = open(path);
      await store.create(configmaps, configMap("one"));
      await store.create(configmaps, configMap("two"));
    }
    const raw = new DatabaseSync(path);
    raw.exec("UPDATE objects SET body = '{rubbish' WHERE name = 'one'");
    raw.close();
    using store = open(path);
    const ref = (name: string) => ({ resource: configmaps, namespace: "a", name });
    await assert.rejects(store.get(ref("one")), DamagedStoreError);
    assert.equal((await store.get(ref("two"))).metadata.name, "two");
  }));

Deno.test("guarded() says that a file is read-only", () =>
  inFolder((path) => {
    open(path)[Symbol.dispose]();
    using raw = new DatabaseSync(path, { readOnly: true });
    assert.throws(
      () => guarded(path, () => raw.exec("UPDATE counters SET value = 1")),
      failsWith("ServiceUnavailable", /file is read-only/),
    );
  }));
