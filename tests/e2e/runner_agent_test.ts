import assert from "node:assert/strict";
import { FunctionManager } from "../../agent/functions/mod.ts";
import {
  type KubeObject,
  RESOURCES,
  type WasmFunction,
  type WasmFunctionNodeStatus,
} from "../../core/api/mod.ts";
import { silentLogger, systemClock, systemRandom } from "../../core/base/mod.ts";
import { type LocalStore, openSqliteStore } from "../../core/store/mod.ts";
import { answerAt, guest, OK_SIZE } from "../../runner/guests.ts";
import { type TestRunner, testWasm, withRunner } from "../../runner/harness.ts";

interface Bench {
  readonly runner: TestRunner;
  readonly store: LocalStore;
  /** Every report that went to the hub. */
  readonly reports: WasmFunctionNodeStatus[];
  /** Waits until the status of a function on this node fulfils `check`. */
  until(name: string, check: (status: WasmFunctionNodeStatus) => boolean): Promise<void>;
}

function manager(runner: TestRunner, store: LocalStore, reports: WasmFunctionNodeStatus[]) {
  return new FunctionManager({
    ...{ store, node: "n1", client: runner.client },
    ...{ files: `${runner.folder}/files`, cache: `${runner.folder}/fetched` },
    hosts: ["127.0.0.1"],
    ...{ clock: systemClock, random: systemRandom, log: silentLogger },
    synced: () => true,
    report: (_tx, _fn, status) => void reports.push(status),
  });
}

async function withAgent(body: (bench: Bench) => Promise<void>): Promise<void> {
  await withRunner(async (runner) => {
    const folder = await Deno.makeTempDir();
    const store = openSqliteStore({
      path: `${folder}/agent.db`,
      clock: systemClock,
      log: silentLogger,
    });
    const reports: WasmFunctionNodeStatus[] = [];
    const stop = new AbortController();
    const running = manager(runner, store, reports).run(stop.signal, () => {});
    try {
      await body({ runner, store, reports, until: (name, check) => until(store, name, check) });
    } finally {
      stop.abort(new Error("the test is over"));
      await running;
      store[Symbol.dispose]();
      await Deno.remove(folder, { recursive: true });
    }
  });
}

async function until(
  store: LocalStore,
  name: string,
  check: (status: WasmFunctionNodeStatus) => boolean,
): Promise<void> {
  using watch = await store.watch(RESOURCES.wasmfunctions);
  let last: unknown;
  using _limit = systemClock.timer(
    20_000 as never,
    () => watch.abort(),
  );
  for await (const event of watch) {
    if (event.type === "BOOKMARK" || event.object.metadata.name !== name) continue;
    const [own] = (event.object as WasmFunction).status?.nodes ?? [];
    last = own;
    if (own && check(own)) return;
  }
  throw new Error(`not within 20 s; last was ${JSON.stringify(last)}`);
}

function put(store: LocalStore, object: Record<string, unknown>): void {
  const resource = object["kind"] === "ConfigMap" ? RESOURCES.configmaps : RESOURCES.wasmfunctions;
  store.transact((tx) => {
    const { name, namespace } = (object as KubeObject).metadata;
    const current = tx.get({ resource, name, namespace: namespace ?? "default" });
    tx.put(resource, { ...current, ...object } as KubeObject);
  });
}

function configMap(wat: string): Record<string, unknown> {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "m", namespace: "default", uid: "map-1" },
    binaryData: { wasm: testWasm(wat).toBase64() },
  };
}

function fn(spec: Record<string, unknown> = {}, generation = 1): Record<string, unknown> {
  return {
    apiVersion: "skerry.dev/v1alpha1",
    kind: "WasmFunction",
    metadata: {
      ...{ name: "f", namespace: "default", uid: "fn-1", generation },
      creationTimestamp: "2026-01-01T00:00:00Z",
    },
    spec: { source: { configMapRef: { name: "m", key: "wasm" } }, ...spec },
  };
}

const OK = guest(answerAt(16, OK_SIZE));

Deno.test("the agent serves a function whose module is in a ConfigMap, and follows its changes", () =>
  withAgent(async ({ runner, store, reports, until }) => {
    put(store, fn());
    await until("f", ({ reason }) => reason === "SourceNotFound");
    put(store, configMap(OK));
    await until("f", ({ ready }) => ready);
    assert.equal(await (await fetch(`${runner.base}/default/f`)).text(), "ok");
    put(store, configMap(OK.replace('ok"', 'no"')));
    const first = reports.at(-1)?.revision;
    await until("f", ({ ready, servingRevision }) => ready && servingRevision !== first);
    assert.equal(await (await fetch(`${runner.base}/default/f`)).text(), "no");
    const last = reports.at(-1);
    assert.equal(last?.name, "n1");
    assert.deepEqual(last?.urls, [`${runner.base}/default/f`]);
  }));

Deno.test("the agent reports a bad spec by field and keeps the old revision for a bad module", () =>
  withAgent(async ({ runner, store, until }) => {
    put(store, configMap(OK));
    put(store, fn({ limits: { timeout: "soon" } }));
    await until(
      "f",
      ({ reason, message = "" }) =>
        reason === "InvalidSpec" && /spec\.limits\.timeout: timeout must be a time/.test(message),
    );
    put(store, fn({}, 2));
    await until("f", ({ ready }) => ready);
    put(store, configMap(`(module (memory (export "memory") 1))`));
    await until(
      "f",
      ({ reason, message = "" }) => reason === "InvalidModule" && /keeps answering/.test(message),
    );
    assert.equal(await (await fetch(`${runner.base}/default/f`)).text(), "ok");
  }));

Deno.test("the agent takes a function from the runner when it is deleted or placed elsewhere", () =>
  withAgent(async ({ runner, store, until }) => {
    put(store, configMap(OK));
    put(store, fn());
    await until("f", ({ ready }) => ready);
    for await (const event of runner.client.events(new AbortController().signal)) {
      // What comes first shows that nothing more is missed.
      if (event.type === "status") put(store, fn({ placement: { nodeNames: ["other"] } }, 2));
      if (event.type === "removed") break;
    }
    const response = await fetch(`${runner.base}/default/f`);
    assert.equal(response.status, 404);
    await response.body?.cancel();
  }));

Deno.test("the agent gives a runner that lost its state everything again", () =>
  withAgent(async ({ runner, store, until }) => {
    put(store, configMap(OK));
    put(store, fn());
    await until("f", ({ ready }) => ready);
    // Another client takes it away: the agent puts it back as soon as it hears of it.
    const back = (async () => {
      let removed = false;
      for await (const event of runner.client.events(new AbortController().signal)) {
        if (event.type === "status") await runner.client.deleteFunction("fn-1");
        if (event.type === "removed") removed = true;
        if (removed && event.type === "function" && event.function.state === "Ready") return;
      }
    })();
    await back;
    assert.equal(await (await fetch(`${runner.base}/default/f`)).text(), "ok");
  }));

Deno.test("the agent says RunnerUnavailable while the runner is down and serves again when it is back", () =>
  withAgent(async ({ runner, store, until }) => {
    put(store, configMap(OK));
    put(store, fn());
    await until("f", ({ ready }) => ready);
    await runner.restart(async () => {
      await until("f", ({ reason }) => reason === "RunnerUnavailable");
      await Deno.remove(`${runner.folder}/functions.json`);
      await Deno.remove(`${runner.folder}/modules`, { recursive: true });
    });
    await until("f", ({ ready }) => ready);
    assert.equal(await (await fetch(`${runner.base}/default/f`)).text(), "ok");
  }));
