import assert from "node:assert/strict";
import fc from "fast-check";
import { VirtualClock } from "../base/mod.ts";
import { type KubeObject, type Pod, RESOURCES } from "../api/mod.ts";
import { openSqliteStore, type SqliteStore } from "../store/mod.ts";
import {
  adoptEpoch,
  allowPrune,
  applyMessage,
  completeReplica,
  type Del,
  digestOf,
  mayEndStrays,
  type Put,
  replicaItems,
  replicaRows,
  replicaState,
  straysSettled,
  versionOf,
} from "./mod.ts";

const { pods, configmaps } = RESOURCES;

function pod(uid: string, rv: number, extra: Record<string, unknown> = {}): KubeObject {
  const { name = `p-${uid}`, ...rest } = extra as { name?: string };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "a",
      uid,
      resourceVersion: String(rv),
      labels: { rv: String(rv) },
    },
    spec: { containers: [] },
    ...rest,
  };
}

let seq = 0;
const put = (object: KubeObject, resource = "pods"): Put => ({
  t: "put",
  seq: ++seq,
  resource,
  version: versionOf(resource, object),
  object,
});
const del = (uid: string, reason: Del["reason"] = "deleted"): Del => ({
  t: "del",
  seq: ++seq,
  resource: "pods",
  uid,
  namespace: "a",
  name: `p-${uid}`,
  reason,
});

function open(): SqliteStore {
  const store = openSqliteStore({ path: ":memory:", clock: new VirtualClock() });
  store.transact((tx) => adoptEpoch(tx, "e1"));
  return store;
}

function apply(store: SqliteStore, ...messages: (Put | Del)[]): void {
  store.transact((tx) => messages.forEach((message) => applyMessage(tx, message, "n1")));
}

const read = (store: SqliteStore, name: string): Pod | undefined =>
  store.transact((tx) => tx.get({ resource: pods, namespace: "a", name })) as Pod | undefined;

Deno.test("applyMessage() keeps the status that the node wrote, takes the rest", () => {
  using store = open();
  apply(store, put(pod("u1", 1, { status: { phase: "Pending" } })));
  assert.equal(read(store, "p-u1")?.status?.phase, "Pending", "a new pod brings its status");
  const ref = { resource: pods, namespace: "a", name: "p-u1" };
  store.transact((tx) =>
    tx.update(ref, (now) => ({ ...now, status: { phase: "Running" } }), { subresource: "status" })
  );
  apply(store, put(pod("u1", 5, { status: { phase: "Pending" } })));
  const after = read(store, "p-u1");
  assert.equal(after?.status?.phase, "Running");
  assert.equal(after?.metadata.labels?.["rv"], "5");
});

Deno.test("a pod's readiness gates come down with what others say of them", () => {
  using store = open();
  const gated = (rv: number, status: "True" | "False"): KubeObject => {
    const base = pod("u1", rv);
    const conditions = [
      { type: "example.com/gate", status },
      { type: "Ready", status: "Unknown" as const },
    ];
    const readinessGates = [{ conditionType: "example.com/gate" }];
    return { ...base, spec: { ...base.spec, readinessGates }, status: { conditions } };
  };
  assert.notEqual(versionOf("pods", gated(1, "True")), versionOf("pods", gated(1, "False")));
  apply(store, put(gated(1, "False")));
  const ref = { resource: pods, namespace: "a", name: "p-u1" };
  const own = { phase: "Running", conditions: [{ type: "Ready", status: "False" }] };
  store.transact((tx) =>
    tx.update(ref, (now) => ({ ...now, status: own }), { subresource: "status" })
  );
  apply(store, put(gated(5, "True")));
  assert.deepEqual(read(store, "p-u1")?.status, {
    phase: "Running",
    conditions: [{ type: "Ready", status: "False" }, { type: "example.com/gate", status: "True" }],
  });
});

Deno.test("a pod's end comes down when somebody else has told it", () => {
  using store = open();
  const running = pod("u1", 1, { status: { phase: "Running" } });
  const told = { phase: "Failed", reason: "Lost" } as const;
  const failed = { ...pod("u1", 1), status: told };
  assert.notEqual(versionOf("pods", failed), versionOf("pods", running));
  apply(store, put(running));
  const ref = { resource: pods, namespace: "a", name: "p-u1" };
  const own = { phase: "Running", message: "fine", podIP: "10.0.0.2" } as const;
  store.transact((tx) =>
    tx.update(ref, (now) => ({ ...now, status: own }), { subresource: "status" })
  );
  apply(store, put({ ...pod("u1", 5), status: told }));
  assert.deepEqual(read(store, "p-u1")?.status, { podIP: "10.0.0.2", ...told });
  apply(store, put({ ...pod("u1", 6), status: { phase: "Running" } }));
  assert.equal(read(store, "p-u1")?.status?.phase, "Failed");
});

Deno.test("applyMessage() keeps only the node's own entry in a function's status", () => {
  using store = open();
  const fn = (nodes: unknown[], rv: number): KubeObject => ({
    apiVersion: "skerry.dev/v1alpha1",
    kind: "WasmFunction",
    metadata: {
      name: "f",
      namespace: "a",
      uid: "f1",
      resourceVersion: String(rv),
      labels: { rv: String(rv) },
    },
    spec: {},
    status: { nodes },
  });
  const resource = "wasmfunctions.skerry.dev";
  apply(
    store,
    put(fn([{ name: "n1", digest: "ours" }, { name: "n2", digest: "old" }], 1), resource),
  );
  apply(
    store,
    put(fn([{ name: "n1", digest: "stale" }, { name: "n2", digest: "new" }], 2), resource),
  );
  const ref = { resource: RESOURCES.wasmfunctions, namespace: "a", name: "f" };
  const nodes = store.transact((tx) => tx.get(ref))?.["status"].nodes;
  assert.deepEqual(nodes, [{ name: "n2", digest: "new" }, { name: "n1", digest: "ours" }]);
});

Deno.test("applyMessage() is not taken back in time by a hub that is behind", () => {
  using store = open();
  apply(store, put(pod("u1", 10)));
  apply(store, put(pod("u1", 9)));
  assert.equal(read(store, "p-u1")?.metadata.labels?.["rv"], "10");
  apply(store, del("u1"));
  apply(store, put(pod("u1", 10)));
  assert.equal(read(store, "p-u1"), undefined, "a deleted uid does not come back");
  apply(store, put(pod("u2", 20, { name: "x" })));
  apply(store, put(pod("u0", 19, { name: "x" })));
  assert.equal(read(store, "x")?.metadata.uid, "u2", "nor the older owner of a name");
});

Deno.test("applyMessage() lets an object out of interest come back, and a name change hands", () => {
  using store = open();
  apply(store, put(pod("u1", 1)), del("u1", "out-of-interest"), put(pod("u1", 1)));
  assert.equal(read(store, "p-u1")?.metadata.uid, "u1");
  apply(store, put(pod("u2", 2, { name: "p-u1" })));
  assert.equal(read(store, "p-u1")?.metadata.uid, "u2");
  assert.deepEqual(store.transact(replicaItems).map(([uid]) => uid), ["u2"]);
  apply(store, del("u1"));
  assert.equal(read(store, "p-u1")?.metadata.uid, "u2", "a del names a uid, not a name");
});

Deno.test("adoptEpoch() forgets nothing, and only allowPrune() lets a complete replica remove", () => {
  using store = open();
  apply(store, put(pod("u1", 1)), put(pod("u2", 2)));
  assert.equal(store.transact((tx) => adoptEpoch(tx, "e1")), false);
  assert.equal(store.transact((tx) => adoptEpoch(tx, "e2")), true);
  assert.deepEqual(store.transact(replicaItems), []);
  assert.deepEqual(store.transact(replicaState), {
    epoch: "e2",
    digest: digestOf([]),
    kept: 2,
  });
  apply(store, put(pod("u2", 1)));
  store.transact(completeReplica);
  assert.deepEqual(store.transact(replicaRows).map(({ uid }) => uid).sort(), ["u1", "u2"]);
  store.transact(allowPrune);
  store.transact(completeReplica);
  assert.deepEqual(store.transact(replicaRows).map(({ uid }) => uid), ["u2"]);
  assert.equal(read(store, "p-u1"), undefined);
  assert.ok(read(store, "p-u2"));
});

Deno.test("mayEndStrays() holds from the complete snapshot after a new join until they are settled", () => {
  using store = open();
  const may = (): boolean => store.transact(mayEndStrays);
  store.transact((tx) => adoptEpoch(tx, "e1"));
  store.transact(completeReplica);
  assert.equal(may(), false, "nobody has joined it anew");
  store.transact(allowPrune);
  assert.equal(may(), false, "what the hub wants is not known yet");
  store.transact(completeReplica);
  store.transact(completeReplica);
  assert.equal(may(), true);
  store.transact(straysSettled);
  store.transact(completeReplica);
  assert.equal(may(), false);
});

Deno.test("applyMessage() tells of every object that a del or the end of a snapshot removes", () => {
  using store = open();
  const told: string[] = [];
  const tell = (message: Put | Del | { t: "snap"; seq: number; count: number }): void =>
    store.transact((tx) =>
      applyMessage(tx, message, "n1", ({ resource, uid, namespace, name }) => {
        assert.ok(tx.get({ resource: pods, namespace: "a", name }), "it is told before it goes");
        told.push(`${resource} ${namespace}/${name} ${uid}`);
      })
    );
  const snap = { t: "snap", seq: ++seq, count: 0 } as const;
  for (const uid of ["u1", "u2", "u3"]) tell(put(pod(uid, 1)));
  tell(del("u1"));
  assert.deepEqual(told.splice(0), ["pods a/p-u1 u1"]);
  store.transact((tx) => adoptEpoch(tx, "e2"));
  tell(put(pod("u2", 1)));
  tell(snap);
  assert.deepEqual(told, [], "without a new join a snapshot removes nothing");
  store.transact(allowPrune);
  tell(snap);
  assert.deepEqual(told, ["pods a/p-u3 u3"]);
  assert.deepEqual([!!read(store, "p-u2"), !!read(store, "p-u3")], [true, false]);
});

Deno.test("versionOf() changes with all but what the node itself writes", () => {
  const base = pod("u1", 1);
  const version = versionOf("pods", base);
  assert.equal(versionOf("pods", { ...base, status: { phase: "Running" } }), version);
  const later = { ...base, metadata: { ...base.metadata, resourceVersion: "2" } };
  assert.equal(versionOf("pods", later), version);
  assert.notEqual(versionOf("configmaps", later), versionOf("configmaps", base));
  const deleted = { ...base, metadata: { ...base.metadata, deletionTimestamp: "x" } };
  assert.notEqual(versionOf("pods", deleted), version);
});

Deno.test("applying any messages twice, each or all, is the same as once", () => {
  const message = fc.record({
    uid: fc.constantFrom("u1", "u2", "u3"),
    rv: fc.integer({ min: 1, max: 9 }),
    kind: fc.constantFrom("put", "put", "put", "deleted", "out-of-interest"),
  }).map(({ uid, rv, kind }) => {
    // A uid has one name for ever; a name may have many uids.
    const name = uid === "u3" ? "y" : "x";
    return kind === "put"
      ? put(pod(uid, rv, { name }))
      : { ...del(uid, kind as Del["reason"]), name };
  });
  const state = (store: SqliteStore) =>
    store.transact((tx) => [
      replicaRows(tx).map((row) => JSON.stringify(row)).sort(),
      tx.list(pods).map(({ metadata: { uid, name, labels } }) => [uid, name, labels]),
      tx.list(configmaps).length,
    ]);
  fc.assert(
    fc.property(fc.array(message, { maxLength: 12 }), (messages) => {
      using once = open();
      using twice = open();
      apply(once, ...messages);
      for (const message of messages) {
        apply(twice, message);
        apply(twice, message);
      }
      assert.deepEqual(state(twice), state(once));
    }),
    { numRuns: 60 },
  );
});

Deno.test("replicaState() gives back the newest version for which the hub sent a proof", () => {
  using store = open();
  const seen = () => {
    const { seen, proof } = store.transact(replicaState);
    return [seen, proof];
  };
  apply(store, put(pod("u1", 7)));
  assert.deepEqual(seen(), [undefined, undefined]);
  apply(store, { ...put(pod("u2", 9)), proof: "nine" }, { ...put(pod("u3", 8)), proof: "eight" });
  assert.deepEqual(seen(), ["9", "nine"]);
  apply(store, del("u2"));
  assert.deepEqual(seen(), ["9", "nine"], "what is gone was seen all the same");
  apply(store, { ...put(pod("u4", 10)), proof: "ten" });
  assert.deepEqual(seen(), ["10", "ten"]);
  store.transact((tx) => adoptEpoch(tx, "e2"));
  assert.deepEqual(seen(), [undefined, undefined]);
  apply(store, { ...put(pod("u5", 2)), proof: "two" });
  assert.deepEqual(seen(), ["2", "two"]);
});
