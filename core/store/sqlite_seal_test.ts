import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { type KubeObject, RESOURCES } from "../api/mod.ts";
import { isAppError, ms, systemClock } from "../base/mod.ts";
import { openSqliteStore, type SqliteStore } from "./mod.ts";
import { Sealer } from "./seal.ts";

const ref = { resource: RESOURCES.secrets, namespace: "default", name: "s" };

async function inTemp(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function open(dir: string, keyFile?: string): SqliteStore {
  return openSqliteStore({
    path: `${dir}/store.db`,
    clock: systemClock,
    keepEvents: 20,
    keepFor: ms(0),
    ...(keyFile === undefined ? {} : { keyFile }),
  });
}

function secret(value: string): KubeObject {
  const metadata = { name: "s", namespace: "default", uid: "u" };
  return { apiVersion: "v1", kind: "Secret", metadata, data: { key: btoa(value) } };
}

function put(store: SqliteStore, value: string): void {
  store.transact((tx) => tx.put(RESOURCES.secrets, secret(value)));
}

/** The files of a folder that hold a text, in clear or as base64. */
async function holders(dir: string, value: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(dir)) {
    const path = `${dir}/${entry.name}`;
    if (entry.isDirectory) found.push(...await holders(path, value));
    else {
      const text = new TextDecoder("latin1").decode(await Deno.readFile(path));
      if (text.includes(value) || text.includes(btoa(value))) found.push(entry.name);
    }
  }
  return found;
}

Deno.test("Sealer opens what it sealed, for the same version and with the same key alone", () => {
  const sealer = new Sealer(new Uint8Array(32).fill(1));
  const sealed = sealer.seal("täxt", 7);
  assert.equal(sealer.open(sealed, 7), "täxt");
  assert.notEqual(sealer.seal("täxt", 7), sealed);
  assert.throws(() => sealer.open(sealed, 8));
  assert.throws(() => new Sealer(new Uint8Array(32)).open(sealed, 7));
  const at = sealed.length - 2;
  const changed = sealed.slice(0, at) + (sealed[at] === "A" ? "B" : "A") + sealed.slice(at + 1);
  assert.throws(() => sealer.open(changed, 7));
});

Deno.test("SqliteStore never has a Secret on the disk in clear, and shows it to its readers", () =>
  inTemp(async (dir) => {
    const key = `${dir}/keys/store.key`;
    {
      using store = open(dir, key);
      using watch = await store.watch(RESOURCES.secrets, { resourceVersion: "0" });
      put(store, "first-value-0");
      for (let turn = 1; turn < 50; turn++) put(store, `first-value-${turn}`);
      assert.deepEqual(await holders(dir, "first-value-"), []);
      assert.equal((await store.get(ref))["data"].key, btoa("first-value-49"));
      const seen = [];
      for await (const event of watch) {
        if (event.type !== "BOOKMARK") seen.push(event.object["data"].key);
        if (seen.length === 50) break;
      }
      assert.equal(seen[7], btoa("first-value-7"));
      await store.delete(ref);
      assert.deepEqual(await holders(dir, "first-value-"), []);
      const { versions } = store;
      using late = await store.watch(RESOURCES.secrets, { resourceVersion: `${versions.oldest}` });
      for await (const event of late) {
        if (event.type === "DELETED") break;
      }
      store.checkIntegrity();
    }
    assert.deepEqual(await holders(dir, "first-value-"), []);
    assert.equal(((await Deno.stat(key)).mode ?? 0) & 0o777, 0o600);
    assert.equal(((await Deno.stat(`${dir}/keys`)).mode ?? 0) & 0o777, 0o700);
  }));

Deno.test("SqliteStore seals what was written before it had a key, and leaves no trace of it", () =>
  inTemp(async (dir) => {
    {
      using store = open(dir);
      for (let turn = 0; turn < 150; turn++) put(store, `early-value-${turn}`);
      store.transact((tx) => {
        for (let at = 0; at < 250; at++) {
          const { metadata, ...rest } = secret(`early-value-of-${at}`);
          tx.put(RESOURCES.secrets, { ...rest, metadata: { ...metadata, name: `s${at}` } });
        }
        tx.purge({ ...ref, name: "s249" });
      });
    }
    assert.notDeepEqual(await holders(dir, "early-value-"), []);
    using store = open(dir, `${dir}/keys/store.key`);
    assert.deepEqual(await holders(dir, "early-value-"), []);
    assert.equal((await store.get(ref))["data"].key, btoa("early-value-149"));
    assert.equal((await store.list(RESOURCES.secrets)).items.length, 250);
    const { oldest } = store.versions;
    using watch = await store.watch(RESOURCES.secrets, { resourceVersion: `${oldest}` });
    for await (const { type } of watch) if (type === "DELETED") break;
  }));

Deno.test("SqliteStore says whose key is not there, and opens nothing without it", () =>
  inTemp(async (dir) => {
    const key = `${dir}/keys/store.key`;
    {
      using store = open(dir, key);
      put(store, "value");
    }
    const refused = (file: string | undefined, text: RegExp): void =>
      assert.throws(
        () => open(dir, file)[Symbol.dispose](),
        (error) =>
          isAppError(error, "ServiceUnavailable") && error.state === "unusable" &&
          text.test(error.message),
      );
    refused(undefined, /opened without their key/);
    refused(
      `${dir}/other.key`,
      /other\.key of the Secrets in the store .* is gone: put the key back/,
    );
    await Deno.writeFile(`${dir}/wrong.key`, new Uint8Array(32));
    refused(`${dir}/wrong.key`, /is not the key of the Secrets/);
    await Deno.writeFile(`${dir}/short.key`, new Uint8Array(3));
    refused(`${dir}/short.key`, /is no key: it has 3 bytes/);
    using store = open(dir, key);
    assert.equal((await store.get(ref))["data"].key, btoa("value"));
  }));

Deno.test("SqliteStore takes a sealed row that was changed for damage", () =>
  inTemp(async (dir) => {
    const key = `${dir}/keys/store.key`;
    {
      using store = open(dir, key);
      put(store, "one");
      put(store, "two");
    }
    {
      const db = new DatabaseSync(`${dir}/store.db`);
      db.exec("UPDATE objects SET body = (SELECT previous FROM events WHERE previous NOT NULL)");
      db.close();
    }
    using store = open(dir, key);
    await assert.rejects(store.get(ref), /damaged/);
  }));
