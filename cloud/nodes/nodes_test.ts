import assert from "node:assert/strict";
import { type Lease, type Node, type Pod, RESOURCES } from "../../core/api/mod.ts";
import {
  fromTime,
  isAppError,
  type Ms,
  ms,
  seconds,
  seededRandom,
  silentLogger,
  Supervisor,
  VirtualClock,
} from "../../core/base/mod.ts";
import { Views } from "../../core/control/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { until } from "../until_test_helper.ts";
import { createNodes, type NodeSession } from "./mod.ts";

async function start() {
  const clock = new VirtualClock();
  const store = openSqliteStore({ path: ":memory:", clock });
  const live = new Set<string>();
  const sessions = (): Iterable<NodeSession> =>
    [...live].map((node) => ({ node, lastSeen: clock.now() }));
  const parts = { store, clock, random: seededRandom(1), log: silentLogger };
  const views = new Views(parts);
  const supervisor = new Supervisor(parts);
  const stop = new AbortController();
  const services = createNodes({
    ...parts,
    views,
    sessions,
    session: (node) => [...sessions()].find((one) => one.node === node),
  });
  const running = supervisor.run([views.service("views"), ...services], stop.signal);
  await until(() => supervisor.ready);
  return {
    clock,
    store,
    live,
    addNode: async (name: string) => {
      const ref = { resource: RESOURCES.nodes, name };
      await store.create(RESOURCES.nodes, { apiVersion: "v1", kind: "Node", metadata: { name } });
      const conditions = [{ type: "Ready", status: "True", reason: "KubeletReady" }];
      await store.update(ref, (node) => ({ ...node, status: { conditions } }), {
        subresource: "status",
      });
    },
    addPod: async (name: string, node: string, tolerations?: object[]) => {
      await store.create(RESOURCES.pods, {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace: "default" },
        spec: { nodeName: node, containers: [], ...(tolerations ? { tolerations } : {}) },
      });
      const status = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
      const ref = { resource: RESOURCES.pods, namespace: "default", name };
      await store.update(ref, (pod) => ({ ...pod, status }), { subresource: "status" });
    },
    ready: async (name: string) => {
      const node = await store.get({ resource: RESOURCES.nodes, name }) as Node;
      return node.status?.conditions?.find(({ type }) => type === "Ready")?.status;
    },
    taints: async (name: string) => {
      const node = await store.get({ resource: RESOURCES.nodes, name }) as Node;
      return (node.spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`);
    },
    pod: async (name: string) =>
      await store.get({ resource: RESOURCES.pods, namespace: "default", name }) as Pod,
    lease: async (name: string) =>
      await store.get({ resource: RESOURCES.leases, namespace: "kube-node-lease", name }) as Lease,
    /** Moves time in small steps, so that everything in between gets its turn. */
    pass: async (span: Ms) => {
      for (let at = 0; at < span; at += 500) {
        await clock.advance(ms(500));
        await new Promise<void>((resolve) => queueMicrotask(resolve));
      }
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
      store[Symbol.dispose]();
    },
  };
}

Deno.test("createNodes() renews the Lease of a connected node every 10 s and of no other", async () => {
  await using hub = await start();
  await hub.addNode("gw-1");
  await hub.addNode("gw-2");
  hub.live.add("gw-1");
  hub.live.add("ghost");
  await hub.pass(seconds(60));
  const { spec, metadata } = await hub.lease("gw-1");
  assert.equal(spec.holderIdentity, "gw-1");
  assert.equal(spec.leaseDurationSeconds, 40);
  assert.match(spec.renewTime ?? "", /\.\d{6}Z$/);
  assert.ok(hub.clock.now() - (fromTime(spec.renewTime) ?? 0) <= seconds(11));
  assert.equal(metadata.ownerReferences?.[0]?.name, "gw-1");
  for (const name of ["gw-2", "ghost"]) {
    await assert.rejects(hub.lease(name), (error) => isAppError(error, "NotFound"));
  }
});

Deno.test("a node that falls silent is NotReady after 40 s with its pods kept, and Ready at once on return", async () => {
  await using hub = await start();
  await hub.addNode("gw-1");
  await hub.addPod("stays", "gw-1");
  const asks = { key: "node.kubernetes.io/unreachable", operator: "Exists", tolerationSeconds: 30 };
  await hub.addPod("asks", "gw-1", [asks]);
  hub.live.add("gw-1");
  await hub.pass(seconds(120));
  assert.equal(await hub.ready("gw-1"), "True");
  assert.deepEqual(await hub.taints("gw-1"), []);

  hub.live.delete("gw-1");
  await hub.pass(seconds(25));
  assert.equal(await hub.ready("gw-1"), "True");
  await hub.pass(seconds(20));
  await until(async () => await hub.ready("gw-1") === "Unknown");
  assert.deepEqual(await hub.taints("gw-1"), [
    "node.kubernetes.io/unreachable:NoSchedule",
    "node.kubernetes.io/unreachable:NoExecute",
  ]);
  const ready = async (name: string) => (await hub.pod(name)).status?.conditions?.[0]?.status;
  await until(async () => await ready("stays") === "False");
  await hub.pass(seconds(600));
  await until(async () => (await hub.pod("asks")).metadata.deletionTimestamp !== undefined);
  const kept = await hub.pod("stays");
  assert.equal(kept.metadata.deletionTimestamp, undefined);
  assert.equal(kept.status?.phase, "Running");

  hub.live.add("gw-1");
  await hub.pass(seconds(1));
  await until(async () => await hub.ready("gw-1") === "True");
  await until(async () => await ready("stays") === "True");
  assert.deepEqual(await hub.taints("gw-1"), []);
});

Deno.test("renewing the Leases of 1,000 nodes takes 20 transactions in 10 s", async () => {
  await using hub = await start();
  const names = Array.from({ length: 1000 }, (_, i) => `gw-${i}`);
  for (const name of names) {
    await hub.store.create(RESOURCES.nodes, { apiVersion: "v1", kind: "Node", metadata: { name } });
    hub.live.add(name);
  }
  await hub.pass(seconds(1));
  await until(async () => (await hub.store.list(RESOURCES.leases)).items.length === 1000);
  await hub.pass(seconds(10));
  let transactions = 0;
  const transact = hub.store.transact.bind(hub.store);
  hub.store.transact = (fn) => {
    transactions++;
    return transact(fn);
  };
  const before = hub.clock.now();
  await hub.pass(seconds(10));
  const leases = (await hub.store.list(RESOURCES.leases)).items as Lease[];
  assert.ok(leases.every(({ spec }) => (fromTime(spec.renewTime) ?? 0) >= before));
  assert.ok(transactions >= 19 && transactions <= 21, `${transactions} transactions`);
});

Deno.test("the Lease of a deleted Node goes with it", async () => {
  await using hub = await start();
  await hub.addNode("gw-1");
  hub.live.add("gw-1");
  await hub.pass(seconds(11));
  await hub.lease("gw-1");
  hub.live.delete("gw-1");
  await hub.store.delete({ resource: RESOURCES.nodes, name: "gw-1" });
  await until(async () => (await hub.store.list(RESOURCES.leases)).items.length === 0);
});

Deno.test("a pod that cannot be read does not keep the node's other pods from being judged", async () => {
  await using hub = await start();
  await hub.addNode("gw-1");
  await hub.addPod("a", "gw-1", 7 as never);
  await hub.addPod("b", "gw-1");
  hub.live.add("gw-1");
  await hub.pass(seconds(5));
  hub.live.delete("gw-1");
  await hub.pass(seconds(60));
  await until(async () => (await hub.pod("b")).status?.conditions?.[0]?.status === "False");
});

Deno.test("a node whose conditions cannot be read is marked like any other", async () => {
  await using hub = await start();
  await hub.addNode("bad");
  const ref = { resource: RESOURCES.nodes, name: "bad" };
  hub.live.add("bad");
  await hub.pass(seconds(15));
  const status = { conditions: [null] };
  await hub.store.update(ref, (node) => ({ ...node, status }), { subresource: "status" });
  hub.live.delete("bad");
  await hub.pass(seconds(60));
  await until(async () => (await hub.taints("bad")).length === 2);
});
