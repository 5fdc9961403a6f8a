import assert from "node:assert/strict";
import { RESOURCES, type WasmFunction } from "../../core/api/mod.ts";
import { silentLogger, systemClock } from "../../core/base/mod.ts";
import { MAX_MODULE_BYTES } from "../../core/runnerapi/mod.ts";
import { type LocalStore, openSqliteStore } from "../../core/store/mod.ts";
import { ModuleSources, SourceError } from "./sources.ts";

const WASM = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
const HOSTS = { hosts: ["127.0.0.1"] };
const NEVER = new AbortController().signal;

interface Bench {
  readonly folder: string;
  readonly store: LocalStore;
  readonly sources: ModuleSources;
}

async function withSources(body: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const store = openSqliteStore({
    path: `${folder}/agent.db`,
    clock: systemClock,
    log: silentLogger,
  });
  try {
    const options = { files: `${folder}/files`, cache: `${folder}/cache` };
    await Deno.mkdir(options.files);
    const sources = new ModuleSources({ ...options, store, ...HOSTS, clock: systemClock });
    await body({ folder, store, sources });
  } finally {
    store[Symbol.dispose]();
    await Deno.remove(folder, { recursive: true });
  }
}

function fn(source: WasmFunction["spec"]["source"]): WasmFunction {
  return {
    apiVersion: "skerry.dev/v1alpha1",
    kind: "WasmFunction",
    metadata: { name: "f", namespace: "default", uid: "u1" },
    spec: { source },
  };
}

async function digestOf(data: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex();
}

async function failure(work: Promise<unknown>): Promise<SourceError["result"]> {
  try {
    await work;
  } catch (error) {
    if (error instanceof SourceError) return error.result;
    throw error;
  }
  throw new Error("the source was found");
}

Deno.test("ModuleSources finds a file, notices its change, and says when it is not there", () =>
  withSources(async ({ folder, sources }) => {
    const function_ = fn({ file: "a.wasm" });
    const missing = await failure(sources.find(function_, NEVER));
    assert.equal(missing.reason, "SourceNotFound");
    assert.match(missing.message, /a\.wasm is not in this node's module folder/);
    await Deno.writeFile(`${folder}/files/a.wasm`, WASM);
    const found = await sources.find(function_, NEVER);
    assert.equal(found.digest, await digestOf(WASM));
    assert.deepEqual(await found.read(), WASM);
    const longer = new Uint8Array([...WASM, 0, 1, 0]);
    await Deno.writeFile(`${folder}/files/a.wasm`, longer);
    assert.equal((await sources.find(function_, NEVER)).digest, await digestOf(longer));
  }));

Deno.test("ModuleSources follows no link out of the module folder", () =>
  withSources(async ({ folder, sources }) => {
    await Deno.writeFile(`${folder}/secret.wasm`, WASM);
    await Deno.symlink(`${folder}/secret.wasm`, `${folder}/files/a.wasm`);
    const refused = await failure(sources.find(fn({ file: "a.wasm" }), NEVER));
    assert.match(refused.message, /leads out of the module folder/);
  }));

Deno.test("ModuleSources refuses a file that is too large before it reads it", () =>
  withSources(async ({ folder, sources }) => {
    using file = await Deno.open(`${folder}/files/a.wasm`, { write: true, create: true });
    await file.truncate(MAX_MODULE_BYTES + 1);
    assert.equal(
      (await failure(sources.find(fn({ file: "a.wasm" }), NEVER))).reason,
      "SourceTooLarge",
    );
  }));

Deno.test("ModuleSources finds a module in a ConfigMap and names a missing map or key", () =>
  withSources(async ({ store, sources }) => {
    const function_ = fn({ configMapRef: { name: "m", key: "k" } });
    assert.match(
      (await failure(sources.find(function_, NEVER))).message,
      /ConfigMap default\/m .* is not there: create it/,
    );
    const map = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "m", namespace: "default" },
      binaryData: { other: WASM.toBase64() } as Record<string, string>,
    };
    store.transact((tx) => tx.put(RESOURCES.configmaps, { ...map, metadata: { ...map.metadata } }));
    assert.match(
      (await failure(sources.find(function_, NEVER))).message,
      /no key k \(it has other/,
    );
    map.binaryData["k"] = WASM.toBase64();
    store.transact((tx) => tx.put(RESOURCES.configmaps, { ...map, metadata: { ...map.metadata } }));
    assert.equal((await sources.find(function_, NEVER)).digest, await digestOf(WASM));
  }));

Deno.test("ModuleSources fetches over HTTP once, checks the digest, and is content without a network", () =>
  withSources(async ({ folder, store, sources }) => {
    let served = 0;
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => {
      served++;
      return new Response(WASM);
    });
    const url = `http://127.0.0.1:${server.addr.port}/m.wasm`;
    const good = fn({ http: { url, sha256: await digestOf(WASM) } });
    const wrong = fn({ http: { url, sha256: "0".repeat(64) } });
    assert.equal((await sources.find(good, NEVER)).digest, await digestOf(WASM));
    const mismatch = await failure(sources.find(wrong, NEVER));
    assert.equal(mismatch.reason, "DigestMismatch");
    assert.match(mismatch.message, /correct the one or the other/);
    assert.equal(served, 2);
    await server.shutdown();
    const later = new ModuleSources({
      ...{ store, clock: systemClock, ...HOSTS },
      ...{ files: `${folder}/files`, cache: `${folder}/cache` },
    });
    assert.deepEqual(await (await later.find(good, NEVER)).read(), WASM);
    assert.equal((await failure(later.find(wrong, NEVER))).reason, "SourceUnavailable");
    await later.collect(new Set());
    assert.equal(
      (await failure(new ModuleSources({
        ...{ store, clock: systemClock, ...HOSTS },
        ...{ files: `${folder}/files`, cache: `${folder}/cache` },
      }).find(good, NEVER))).reason,
      "SourceUnavailable",
    );
  }));

Deno.test("ModuleSources stops reading an answer that is larger than a module may be", () =>
  withSources(async ({ sources }) => {
    let sent = 0;
    const server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      () =>
        new Response(
          new ReadableStream({
            pull(controller) {
              controller.enqueue(new Uint8Array(1 << 20));
              sent += 1 << 20;
            },
          }),
        ),
    );
    const url = `http://127.0.0.1:${server.addr.port}/m.wasm`;
    const result = await failure(
      sources.find(fn({ http: { url, sha256: "0".repeat(64) } }), NEVER),
    );
    assert.equal(result.reason, "SourceTooLarge");
    assert.ok(sent < 2 * MAX_MODULE_BYTES);
    await server.shutdown();
  }));

Deno.test("ModuleSources fetches from the named hosts alone, and follows no redirect", () =>
  withSources(async ({ folder, store }) => {
    const paths: string[] = [];
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
      const { pathname, origin } = new URL(request.url);
      paths.push(pathname);
      return pathname === "/away" ? Response.redirect(`${origin}/m.wasm`) : new Response(WASM);
    });
    const { port } = server.addr;
    const sha256 = await digestOf(WASM);
    const find = (hosts: string[], url: string) =>
      new ModuleSources({
        ...{ store, clock: systemClock, hosts },
        ...{ files: `${folder}/files`, cache: `${folder}/cache` },
      }).find(fn({ http: { url, sha256 } }), NEVER);
    const url = `http://127.0.0.1:${port}/m.wasm`;
    for (const hosts of [[], ["localhost"], ["127.0.0.1:1"], ["27.0.0.1"]]) {
      const refused = await failure(find(hosts, url));
      assert.equal(refused.reason, "SourceUnavailable");
      assert.match(refused.message, new RegExp(`--function-hosts=127\\.0\\.0\\.1:${port}$`));
    }
    assert.deepEqual(paths, []);
    const away = await failure(find(["127.0.0.1"], `http://127.0.0.1:${port}/away`));
    assert.match(away.message, /redirects to .*, which is not followed/);
    assert.deepEqual(paths, ["/away"]);
    assert.equal((await find([`127.0.0.1:${port}`], url)).digest, sha256);
    await server.shutdown();
  }));
