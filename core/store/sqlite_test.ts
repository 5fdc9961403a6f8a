import assert from "node:assert/strict";
import { AppError, isAppError, kib, mib, ms, seededRandom, VirtualClock } from "../base/mod.ts";
import { type KubeObject, RESOURCES } from "../api/mod.ts";
import { openSqliteStore, type SqliteStore, type SqliteStoreOptions } from "./mod.ts";

const { configmaps, pods } = RESOURCES;

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

function configMap(name: string, data: Record<string, string> = {}): KubeObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "a" }, data };
}

Deno.test("SqliteStore numbers one version per change and shows what it stored", async () => {
  using store = open();
  const created = await store.create(configmaps, configMap("one", { a: "1" }));
  assert.equal(created.metadata.resourceVersion, "1");
  assert.equal(created.metadata.uid, "uid-2");
  const ref = { resource: configmaps, namespace: "a", name: "one" };
  assert.deepEqual(await store.get(ref), created);
  assert.equal((await store.list(pods)).items.length, 0);
});
