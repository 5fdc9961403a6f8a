import assert from "node:assert/strict";
import {
  type Condition,
  mergeWasmStatus,
  type Node,
  RESOURCES,
  type WasmFunction,
} from "../../core/api/mod.ts";
import { ms, seededRandom, silentLogger, Supervisor, systemClock } from "../../core/base/mod.ts";
import { openSqliteStore, type Store } from "../../core/store/mod.ts";
import { until } from "../until_test_helper.ts";
import { Views } from "../../core/control/mod.ts";
import { createFunctions } from "./mod.ts";

const REF = { resource: RESOURCES.wasmfunctions, namespace: "default", name: "f" };

async function withHub(body: (store: Store) => Promise<void>): Promise<void> {
  const parts = { clock: systemClock, random: seededRandom(1), log: silentLogger };
  const store = openSqliteStore({ path: ":memory:", ...parts });
  const stop = new AbortController();
  const supervisor = new Supervisor(parts);
  const views = new Views({ ...parts, store });
  const controller = createFunctions({ ...parts, store, views });
  const running = supervisor.run([views.service("views"), controller], stop.signal);
  try {
    await until(() => supervisor.ready);
    await body(store);
  } finally {
    stop.abort();
    await running;
    store[Symbol.dispose]();
  }
}

async function addNode(store: Store, name: string, labels: Record<string, string> = {}) {
  const node: Node = { apiVersion: "v1", kind: "Node", metadata: { name, labels } };
  await store.create(RESOURCES.nodes, node);
}

async function addFunction(store: Store, placement?: Record<string, unknown>) {
  await store.create(RESOURCES.wasmfunctions, {
    apiVersion: "skerry.dev/v1alpha1",
    kind: "WasmFunction",
    metadata: { name: "f", namespace: "default" },
    spec: { source: { file: "f.wasm" }, ...(placement ? { placement } : {}) },
  });
}

/** What the hub does when a node says that it serves. */
async function report(store: Store, node: string): Promise<void> {
  const invocations = { requests: 2, errors: 0, timeouts: 0, traps: 0, rejected: 0 };
  await store.update(REF, (fn) => {
    const entry = { name: node, ready: true, reason: "Serving" as const, invocations };
    const change = { node, report: entry };
    return { ...fn, status: mergeWasmStatus(fn as WasmFunction, change, { now: ms(0) }) };
  }, { subresource: "status" });
}

interface Seen {
  readonly nodes: string[];
  readonly counts: string;
  readonly ready: Condition | undefined;
  readonly requests: number | undefined;
}

async function see(store: Store): Promise<Seen> {
  const { status } = await store.get(REF) as WasmFunction;
  return {
    nodes: (status?.nodes ?? []).map(({ name }) => name),
    counts: `${status?.readyNodes}/${status?.desiredNodes}`,
    ready: status?.conditions?.find(({ type }) => type === "Ready"),
    requests: status?.invocations?.requests,
  };
}

async function untilSeen(store: Store, counts: string, reason: string): Promise<Seen> {
  await until(async () => {
    const seen = await see(store);
    return seen.counts === counts && seen.ready?.reason === reason;
  });
  return await see(store);
}

Deno.test("createFunctions() counts nodes that join, and forgets one that is deleted", () =>
  withHub(async (store) => {
    await addFunction(store);
    assert.equal((await untilSeen(store, "0/0", "NoNodes")).ready?.status, "False");
    for (const name of ["a", "b"]) await addNode(store, name);
    assert.equal((await untilSeen(store, "0/2", "Pending")).ready?.status, "Unknown");
    await report(store, "a");
    const half = await untilSeen(store, "1/2", "Pending");
    assert.equal(half.ready?.status, "False");
    assert.match(half.ready?.message ?? "", /1 of 2 nodes .*others have not reported yet/);
    await report(store, "b");
    assert.equal((await untilSeen(store, "2/2", "Serving")).requests, 4);
    await store.delete({ resource: RESOURCES.nodes, name: "b" });
    const left = await untilSeen(store, "1/1", "Serving");
    assert.deepEqual([left.nodes, left.requests, left.ready?.status], [["a"], 2, "True"]);
    // A report that was under way when the node was deleted stays no longer.
    await report(store, "b");
    await untilSeen(store, "1/1", "Serving");
    await store.delete({ resource: RESOURCES.nodes, name: "a" });
    assert.deepEqual((await untilSeen(store, "0/0", "NoNodes")).nodes, []);
  }));

Deno.test("createFunctions() follows placement and labels", () =>
  withHub(async (store) => {
    await addNode(store, "a", { zone: "x" });
    await addNode(store, "b", { zone: "x" });
    await addFunction(store, { nodeSelector: { zone: "x" } });
    for (const name of ["a", "b"]) await report(store, name);
    await untilSeen(store, "2/2", "Serving");
    await store.update({ resource: RESOURCES.nodes, name: "b" }, (node) => ({
      ...node,
      metadata: { ...node.metadata, labels: { zone: "y" } },
    }));
    assert.deepEqual((await untilSeen(store, "1/1", "Serving")).nodes, ["a"]);
    await store.update(REF, (fn) => ({ ...fn, spec: { ...fn["spec"], args: ["new"] } }));
    await addNode(store, "c", { zone: "x" });
    await untilSeen(store, "1/2", "Pending");
    // No node has told yet how the new spec does on it.
    const { metadata, status } = await store.get(REF) as WasmFunction;
    assert.ok((status?.observedGeneration ?? 0) < (metadata.generation ?? 0));
    await store.update(REF, (fn) => ({
      ...fn,
      spec: { ...fn["spec"], placement: { nodeSelector: { zone: "z" } } },
    }));
    const none = await untilSeen(store, "0/0", "NoNodes");
    assert.deepEqual(none.nodes, []);
    assert.match(none.ready?.message ?? "", /no node matches spec\.placement/);
    // A placement that cannot be read is every node's, so that somebody says so.
    await store.update(REF, (fn) => ({
      ...fn,
      spec: { ...fn["spec"], placement: { nodeSelector: "zone=x" } },
    }));
    await untilSeen(store, "0/3", "Pending");
  }));

Deno.test("createFunctions() writes nothing when nothing is new", () =>
  withHub(async (store) => {
    await addNode(store, "a");
    await addFunction(store);
    await report(store, "a");
    await untilSeen(store, "1/1", "Serving");
    const { resourceVersion } = (await store.get(REF)).metadata;
    await store.update({ resource: RESOURCES.nodes, name: "a" }, (node) => ({
      ...node,
      status: { conditions: [] },
    }), { subresource: "status" });
    // What comes after in the same queue shows that the change of the node was dealt with.
    await store.create(RESOURCES.wasmfunctions, {
      apiVersion: "skerry.dev/v1alpha1",
      kind: "WasmFunction",
      metadata: { name: "g", namespace: "default" },
      spec: { source: { file: "f.wasm" } },
    });
    await until(async () => {
      const g = await store.get({ ...REF, name: "g" }) as WasmFunction;
      return g.status?.desiredNodes === 1;
    });
    assert.equal((await store.get(REF)).metadata.resourceVersion, resourceVersion);
  }));
