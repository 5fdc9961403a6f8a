import assert from "node:assert/strict";
import { type KubeObject, type ResourceDef, RESOURCES } from "../../core/api/mod.ts";
import {
  type LogFields,
  type Logger,
  silentLogger,
  systemClock,
  VirtualClock,
} from "../../core/base/mod.ts";
import { type LocalStore, openSqliteStore } from "../../core/store/mod.ts";
import {
  adoptEpoch,
  allowPrune,
  applyMessage,
  completeReplica,
  replicaItems,
  replicaState,
  versionOf,
} from "../../core/sync/mod.ts";
import { ManifestFolder } from "../manifests/mod.ts";
import { buriedFunctions } from "./evidence.ts";
import { StaticFunctions } from "./static_functions.ts";

const { configmaps, secrets, wasmfunctions } = RESOURCES;

/** A store and a folder of manifests that is looked at when the test says so. */
class Bench implements AsyncDisposable {
  readonly store: LocalStore = openSqliteStore({ path: ":memory:", clock: new VirtualClock() });
  readonly complaints: string[] = [];
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<Bench> {
    return new Bench(await Deno.makeTempDir({ prefix: "skerry-static-" }));
  }

  /** Writes a manifest and looks at the folder. */
  async write(file: string, ...objects: unknown[]): Promise<void> {
    const text = objects.map((one) => typeof one === "string" ? one : JSON.stringify(one));
    await Deno.writeTextFile(`${this.folder}/${file}`, text.join("\n---\n"));
    await this.look();
  }

  /** Removes a manifest and looks at the folder. */
  async remove(file: string): Promise<void> {
    await Deno.remove(`${this.folder}/${file}`);
    await this.look();
  }

  async look(): Promise<void> {
    const warn = (_message: string, { problem }: LogFields = {}): void =>
      void this.complaints.push(String(problem));
    const log: Logger = { ...silentLogger, warn };
    const { folder, store } = this;
    const handlers = [new StaticFunctions({ nodeName: "n1", clock: systemClock })];
    const stop = new AbortController();
    // One look: it is over when the service is ready.
    await new ManifestFolder({ folder, store, handlers, log, clock: systemClock, nodeName: "n1" })
      .run(stop.signal, () => stop.abort());
  }

  get(resource: ResourceDef, name: string): KubeObject | undefined {
    return this.store.transact((tx) => tx.get({ resource, namespace: "default", name }));
  }

  /** What the hub says of an object. */
  hub(resource: string, object: KubeObject): void {
    const version = versionOf(resource, object);
    this.store.transact((tx) =>
      applyMessage(tx, { t: "put", seq: 1, resource, version, object }, "n1")
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.store[Symbol.dispose]();
    return Deno.remove(this.folder, { recursive: true });
  }
}

const map = (data: string, name = "m"): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  binaryData: { wasm: btoa(data) },
});

const fn = (spec: Record<string, unknown> = {}, name = "f"): KubeObject => ({
  apiVersion: "skerry.dev/v1alpha1",
  kind: "WasmFunction",
  metadata: { name },
  spec: { source: { configMapRef: { name: "m", key: "wasm" } }, ...spec },
});

const fromHub = (object: KubeObject, uid: string): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, namespace: "default", uid, resourceVersion: "7" },
});

Deno.test("StaticFunctions keeps what the manifests say, and updates it in place", async () => {
  await using bench = await Bench.open();
  const secret = { ...map("x", "s"), kind: "Secret", binaryData: undefined, data: { k: "" } };
  await bench.write("f.yaml", map("one"), fn(), secret);
  const first = bench.get(wasmfunctions, "f");
  const { uid, generation, creationTimestamp, annotations } = first?.metadata ?? {};
  assert.match(uid ?? "", /^[0-9a-f]{32}$/);
  assert.deepEqual([generation, typeof creationTimestamp], [1, "string"]);
  assert.equal(annotations?.["kubernetes.io/config.source"], "file");
  assert.equal(annotations?.["skerry.dev/manifest"], "f.yaml");
  assert.ok(bench.get(secrets, "s"));
  bench.store.transact((tx) =>
    tx.update(
      { resource: wasmfunctions, namespace: "default", name: "f" },
      (now) => ({ ...now, status: { nodes: [{ name: "n1" }] } }),
      { subresource: "status" },
    )
  );
  const rv = (): unknown[] =>
    [bench.get(wasmfunctions, "f"), bench.get(configmaps, "m")].map((one) =>
      one?.metadata.resourceVersion
    );
  const before = rv();
  await bench.look();
  assert.deepEqual(rv(), before, "nothing new, nothing written");
  await bench.write("f.yaml", map("two"), fn({ limits: { timeout: "2s" } }), secret);
  const second = bench.get(wasmfunctions, "f");
  assert.deepEqual([second?.metadata.uid, second?.metadata.generation], [uid, 2]);
  assert.deepEqual(second?.["status"], { nodes: [{ name: "n1" }] }, "the status stays");
  assert.equal(bench.get(configmaps, "m")?.["binaryData"].wasm, btoa("two"));
  assert.deepEqual(bench.complaints, []);
});

Deno.test("StaticFunctions removes what a manifest that was read names no more", async () => {
  await using bench = await Bench.open();
  await bench.write("f.yaml", map("one"), fn());
  const uid = bench.get(wasmfunctions, "f")?.metadata.uid ?? "";
  await bench.write("f.yaml", "kind: [");
  assert.ok(bench.get(wasmfunctions, "f"), "a broken manifest ends nothing");
  await bench.write("f.yaml", map("one"), fn({ limits: { timeout: "soon" } }));
  assert.equal(bench.get(wasmfunctions, "f")?.metadata.generation, 1, "nor does an invalid one");
  assert.match(bench.complaints.at(-1) ?? "", /WasmFunction f: spec\.limits\.timeout: timeout/);
  await bench.write("g.yaml", fn({ limits: { timeout: "9s" } }));
  assert.equal(bench.get(wasmfunctions, "f")?.metadata.generation, 1, "nor may another replace it");
  await bench.remove("g.yaml");
  await Deno.rename(bench.folder, `${bench.folder}-away`);
  await bench.look();
  assert.ok(bench.get(wasmfunctions, "f"), "a folder that is not there ends nothing");
  await Deno.rename(`${bench.folder}-away`, bench.folder);
  assert.deepEqual(bench.store.transact(buriedFunctions), []);
  await bench.write("f.yaml", map("one"));
  assert.equal(bench.get(wasmfunctions, "f"), undefined);
  assert.deepEqual(bench.store.transact(buriedFunctions), [uid], "with the evidence of its end");
  await bench.write("f.yaml", map("one"), fn());
  assert.equal(bench.get(wasmfunctions, "f")?.metadata.uid, uid);
  assert.deepEqual(bench.store.transact(buriedFunctions), [], "which is taken back");
  await bench.remove("f.yaml");
  assert.deepEqual([bench.get(wasmfunctions, "f"), bench.get(configmaps, "m")], [
    undefined,
    undefined,
  ]);
});

Deno.test("StaticFunctions gives way to the hub, whichever of both was first", async () => {
  await using bench = await Bench.open();
  bench.store.transact((tx) => adoptEpoch(tx, "e1"));
  bench.hub("configmaps", fromHub(map("hub"), "cm-hub"));
  await bench.write("f.yaml", map("file"), fn());
  assert.equal(bench.get(configmaps, "m")?.metadata.uid, "cm-hub");
  assert.match(bench.complaints[0] ?? "", /^ConfigMap default\/m .* comes from the hub/);
  bench.hub("wasmfunctions.skerry.dev", fromHub(fn(), "fn-hub"));
  assert.equal(bench.get(wasmfunctions, "f")?.metadata.uid, "fn-hub");
  await bench.look();
  assert.equal(bench.get(wasmfunctions, "f")?.metadata.uid, "fn-hub");
  await bench.remove("f.yaml");
  assert.equal(bench.get(wasmfunctions, "f")?.metadata.uid, "fn-hub", "nor does it end it");
  // Nobody can make the node take the hub's object for its own.
  const odd = fromHub(map("odd", "odd"), "cm-odd");
  odd.metadata.annotations = { "kubernetes.io/config.source": "file" };
  bench.hub("configmaps", odd);
  await bench.look();
  assert.ok(bench.get(configmaps, "odd"));
  await bench.write("f.yaml", fn());
  bench.store.transact((tx) => {
    const gone = { t: "del", seq: 2, resource: "wasmfunctions.skerry.dev" } as const;
    const what = { uid: "fn-hub", namespace: "default", name: "f", reason: "deleted" } as const;
    applyMessage(tx, { ...gone, ...what }, "n1");
  });
  await bench.look();
  assert.match(bench.get(wasmfunctions, "f")?.metadata.uid ?? "", /^[0-9a-f]{32}$/, "it is back");
});

Deno.test("StaticFunctions' objects are no part of the replica, and no new join removes them", async () => {
  await using bench = await Bench.open();
  const { store } = bench;
  store.transact((tx) => adoptEpoch(tx, "e1"));
  bench.hub("configmaps", fromHub(map("hub", "theirs"), "cm-hub"));
  const before = store.transact(replicaState);
  await bench.write("f.yaml", map("one"), fn());
  assert.deepEqual(store.transact(replicaState), before);
  assert.deepEqual(store.transact(replicaItems).map(([uid]) => uid), ["cm-hub"]);
  store.transact((tx) => {
    adoptEpoch(tx, "e2");
    allowPrune(tx);
    completeReplica(tx);
  });
  assert.equal(bench.get(configmaps, "theirs"), undefined);
  assert.ok(bench.get(configmaps, "m"));
  assert.ok(bench.get(wasmfunctions, "f"));
});
