import assert from "node:assert/strict";
import { AppError, seconds, VirtualClock } from "../base/mod.ts";
import { type Condition, type Node, type Pod, type PodStatus, RESOURCES } from "../api/mod.ts";
import { openSqliteStore, type SqliteStore } from "../store/mod.ts";
import {
  allowedLabels,
  applyIntent,
  failedResult,
  type IntentContext,
  isGatewayNode,
  isOverruled,
  mergeNodeStatus,
  mergePodStatus,
  type NodeWord,
} from "./mod.ts";

const { pods, nodes } = RESOURCES;

function context(store: SqliteStore, over: Partial<IntentContext> = {}): IntentContext {
  return {
    node: "n1",
    store,
    now: seconds(0),
    mayHave: () => false,
    checkIdentity: () => Promise.resolve(),
    ...over,
  };
}

async function withPod(
  extra: Record<string, unknown> = {},
): Promise<{ store: SqliteStore; uid: string }> {
  const store = openSqliteStore({ path: ":memory:", clock: new VirtualClock() });
  const { metadata } = await store.create(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "a" },
    spec: { nodeName: "n1", containers: [] },
    ...extra,
  });
  return { store, uid: metadata.uid ?? "" };
}

Deno.test("pod-gone removes a pod that is being deleted, and no other", async () => {
  const { store, uid } = await withPod();
  using _store = store;
  const ref = { resource: pods, namespace: "a", name: "p" };
  const body = { namespace: "a", name: "p", uid };
  const gone = { key: `pod-gone/${uid}`, kind: "pod-gone", body };
  await assert.rejects(applyIntent(context(store), gone), { code: "Forbidden" });
  await store.delete(ref);
  await assert.rejects(applyIntent(context(store, { node: "n2" }), gone), { code: "Forbidden" });
  const other = { ...gone, key: "pod-gone/other", body: { ...body, uid: "other" } };
  await applyIntent(context(store), other);
  assert.ok(await store.get(ref), "another uid is another pod");
  await applyIntent(context(store), gone);
  await assert.rejects(store.get(ref), { code: "NotFound" });
  await applyIntent(context(store), gone);
});

Deno.test("pod-status writes nothing for another uid or another node's pod", async () => {
  const { store, uid } = await withPod();
  using _store = store;
  const intent = (uid: string) => ({
    key: `pod-status/${uid}`,
    kind: "pod-status",
    body: { namespace: "a", name: "p", uid, status: { phase: "Running" } },
  });
  await assert.rejects(applyIntent(context(store), intent("other")), { code: "NotFound" });
  await assert.rejects(applyIntent(context(store, { node: "n2" }), intent(uid)), {
    code: "Forbidden",
  });
  await applyIntent(context(store), intent(uid));
  const after = await store.get({ resource: pods, namespace: "a", name: "p" }) as Pod;
  assert.equal(after.status?.phase, "Running");
});

Deno.test("mergePodStatus() keeps the conditions that are not the node's", () => {
  const merged = mergePodStatus(
    {
      qosClass: "Burstable",
      podIP: "10.0.0.1",
      conditions: [{ type: "PodScheduled", status: "True" }, { type: "Ready", status: "True" }],
    },
    { phase: "Failed", conditions: [{ type: "Ready", status: "False" }] },
  );
  assert.deepEqual(merged, {
    phase: "Failed",
    qosClass: "Burstable",
    conditions: [{ type: "PodScheduled", status: "True" }, { type: "Ready", status: "False" }],
  });
});

Deno.test("mergePodStatus() holds the end that somebody else has told", () => {
  const told: PodStatus = { phase: "Failed", reason: "Lost", message: "the site is gone" };
  const conditions: Condition[] = [{ type: "Ready", status: "True" }];
  const merged = mergePodStatus(told, {
    phase: "Running",
    reason: "Odd",
    podIP: "::1",
    conditions,
  });
  assert.deepEqual(merged, { podIP: "::1", conditions, ...told });
  assert.equal(mergePodStatus(told, { phase: "Failed", reason: "Error" }).reason, "Error");
  assert.deepEqual(mergePodStatus(told, { phase: "Failed" }), { ...told, conditions: [] });
  assert.equal(mergePodStatus(told, { phase: "Succeeded" }).phase, "Failed");
});

Deno.test("mergePodStatus() brings the generation of PodScheduled up to date, and nothing else of it", () => {
  const scheduled = (word: Partial<Condition>): PodStatus => ({
    conditions: [{ type: "PodScheduled", status: "True", ...word }],
  });
  const before = { lastTransitionTime: "2026-01-01T00:00:00Z", observedGeneration: 1 };
  const node = { lastTransitionTime: "2026-01-02T00:00:00Z", observedGeneration: 3 };
  const merged = mergePodStatus(scheduled(before), scheduled(node));
  assert.deepEqual(merged, scheduled({ ...before, observedGeneration: 3 }));
  assert.deepEqual(mergePodStatus(scheduled(before), {}), scheduled(before));
});

Deno.test("mergePodStatus() takes away the node's own conditions, and leaves others as they are", () => {
  const condition = (type: string, status: "True" | "False") => ({ type, status });
  const merged = mergePodStatus(
    {
      conditions: [
        condition("skerry.dev/Supported", "False"),
        condition("PodResizePending", "True"),
        condition("example.com/gate", "True"),
      ],
    },
    {
      conditions: [
        condition("example.com/gate", "False"),
        condition("DisruptionTarget", "True"),
        condition("Ready", "True"),
      ],
    },
  );
  assert.deepEqual(merged.conditions, [
    condition("example.com/gate", "True"),
    condition("DisruptionTarget", "True"),
    condition("Ready", "True"),
  ]);
});

Deno.test("a shut-out node cannot make its Node object again", async () => {
  using store = openSqliteStore({ path: ":memory:", clock: new VirtualClock() });
  const body = { node: { metadata: { name: "n1" }, status: {} } };
  const checkIdentity = () => Promise.reject(new AppError("Forbidden", "shut out"));
  const intent = { key: "node", kind: "node", body };
  await assert.rejects(applyIntent(context(store, { checkIdentity }), intent), {
    code: "Forbidden",
  });
  assert.deepEqual((await store.list(nodes)).items, []);
});

Deno.test("a node writes over no Node that no hub made, unless its identity is bound to it", async () => {
  using store = openSqliteStore({ path: ":memory:", clock: new VirtualClock() });
  const ref = { resource: nodes, name: "n1" };
  const address = (address: string) => [{ type: "InternalIP", address }];
  const status = { addresses: address("192.0.2.7") };
  const before = await store.create(nodes, {
    ...{ apiVersion: "v1", kind: "Node", metadata: { name: "n1" }, status },
  });
  const node = { metadata: { name: "n1" }, status: { addresses: address("10.0.0.9") } };
  const intent = { key: "node", kind: "node", body: { node } };
  let bound = "another";
  const checkIdentity = (uid?: string) =>
    uid === bound ? Promise.resolve() : Promise.reject(new AppError("Forbidden", "not its Node"));
  await assert.rejects(applyIntent(context(store, { checkIdentity }), intent), {
    code: "Forbidden",
  });
  assert.deepEqual(await store.get(ref), before);
  bound = before.metadata.uid ?? "";
  await applyIntent(context(store, { checkIdentity }), intent);
  const taken = await store.get(ref) as Node;
  assert.deepEqual(taken.status?.addresses, address("10.0.0.9"));
  assert.ok(isGatewayNode(taken));
});

Deno.test("the Node that a hub makes for a node is marked, and is never asked about again", async () => {
  using store = openSqliteStore({ path: ":memory:", clock: new VirtualClock() });
  const node = { metadata: { name: "n1" }, status: {} };
  const intent = { key: "node", kind: "node", body: { node } };
  const asked: unknown[] = [];
  const checkIdentity = (uid?: string) => Promise.resolve(void asked.push(uid));
  for (let i = 0; i < 2; i++) await applyIntent(context(store, { checkIdentity }), intent);
  assert.ok(isGatewayNode(await store.get({ resource: nodes, name: "n1" })));
  assert.deepEqual(asked, [undefined]);
});

Deno.test("a node whose kubelet port opens while it registers is written with that port", async () => {
  using store = openSqliteStore({ path: ":memory:", clock: new VirtualClock() });
  const addresses = [{ type: "InternalIP", address: "10.0.0.9" }];
  const node = { metadata: { name: "n1" }, status: { addresses } };
  let asked = 0;
  const kubelet = () => ++asked > 1 ? { address: "10.0.0.1", port: 10250 } : undefined;
  const intent = { key: "node", kind: "node", body: { node } };
  await applyIntent(context(store, { kubelet }), intent);
  const { metadata, status } = await store.get({ resource: nodes, name: "n1" }) as Node;
  assert.deepEqual(status?.addresses, [{ type: "InternalIP", address: "10.0.0.1" }]);
  assert.equal(status?.daemonEndpoints?.kubeletEndpoint?.Port, 10250);
  assert.equal(metadata.annotations?.["skerry.dev/addresses"], JSON.stringify(addresses));
});

Deno.test("mergeNodeStatus() keeps the hub's conditions and port, and moves times with status", () => {
  const current = {
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    volumesAttached: [{ name: "csi/v", devicePath: "" }],
    conditions: [
      { type: "Ready", status: "Unknown" as const, lastTransitionTime: "2020-01-01T00:00:00Z" },
      { type: "Hub", status: "True" as const },
    ],
  };
  const theirs = { conditions: [{ type: "Ready", status: "True" as const }] };
  const node: Node = {
    ...{ apiVersion: "v1", kind: "Node", metadata: { name: "n1" } },
    status: current,
  };
  const merged = mergeNodeStatus(node, theirs, seconds(1));
  assert.deepEqual(merged.daemonEndpoints, current.daemonEndpoints);
  assert.deepEqual(merged.volumesAttached, current.volumesAttached);
  assert.deepEqual(merged.conditions?.map(({ type }) => type), ["Hub", "Ready"]);
  assert.equal(merged.conditions?.[1]?.lastTransitionTime, "1970-01-01T00:00:01Z");
});

Deno.test("allowedLabels() follows NodeRestriction", () => {
  const allowed = {
    "a": "1",
    "example.com/b": "1",
    "kubernetes.io/arch": "amd64",
    "topology.kubernetes.io/zone": "z",
    "node.kubernetes.io/x": "1",
  };
  const refused = {
    "node-restriction.kubernetes.io/x": "1",
    "x.node-restriction.kubernetes.io/x": "1",
    "node-role.kubernetes.io/master": "",
    "kubernetes.io/other": "1",
    "k8s.io/x": "1",
  };
  assert.deepEqual(allowedLabels({ ...allowed, ...refused }), allowed);
});

Deno.test("failedResult() says whether to try again, and hides what is not ours to tell", () => {
  const unknown = failedResult(3, new TypeError("secret path /x"));
  assert.deepEqual([unknown.error?.code, unknown.error?.retry], ["InternalError", true]);
  assert.ok(!unknown.error?.message.includes("secret"));
  assert.equal(failedResult(3, new AppError("Forbidden", "no")).error?.retry, false);
  assert.equal(failedResult(3, new AppError("ServiceUnavailable", "later")).error?.retry, true);
});

Deno.test("resources that others advertise stay; a node's own are 0 when it tells no more of them", async () => {
  using store = openSqliteStore({ path: ":memory:", clock: new VirtualClock() });
  const ref = { resource: nodes, name: "n1" };
  const words: NodeWord[] = [];
  const report = async (amounts: Record<string, string>): Promise<Node> => {
    const status = { capacity: amounts, allocatable: amounts };
    await applyIntent(context(store, { said: (word) => void words.push(word) }), {
      ...{ key: "node", kind: "node" },
      body: { node: { metadata: { name: "n1" }, status } },
    });
    return await store.get(ref) as Node;
  };
  const ask = (node: Node): boolean => isOverruled(node, words.at(-1) ?? {});
  const first = await report({ cpu: "4", "example.com/tpu": "2" });
  assert.equal(first.metadata.annotations?.["skerry.dev/device-resources"], "example.com/tpu");
  const patched = await store.update(ref, (current) => {
    const { capacity, ...status } = (current as Node).status ?? {};
    const hugepages = { "hugepages-2Mi": "0" };
    return {
      ...current,
      status: { ...status, capacity: { ...capacity, ...hugepages, "example.com/dongle": "5" } },
    };
  }, { subresource: "status" }) as Node;
  assert.ok(ask(patched), "what there is of it can be had");
  const advertised = await report({ cpu: "4", "example.com/tpu": "2" });
  const amounts = { cpu: "4", "example.com/tpu": "2", "example.com/dongle": "5" };
  assert.deepEqual(advertised.status?.capacity, amounts);
  assert.deepEqual(advertised.status?.allocatable, amounts);
  assert.ok(!ask(advertised));
  // A new life of the agent, before its plugin has come.
  const { status, metadata } = await report({ cpu: "4" });
  assert.deepEqual(status?.capacity, { ...amounts, "example.com/tpu": "0" });
  assert.deepEqual(status?.allocatable, { ...amounts, "example.com/tpu": "0" });
  assert.equal(metadata.annotations?.["skerry.dev/device-resources"], "example.com/tpu");
});

Deno.test("a node's report tells what of the Node is the node's word, as it is stored", async () => {
  const store = openSqliteStore({ path: ":memory:", clock: new VirtualClock() });
  using _store = store;
  const conditions = [{ type: "Ready", status: "True" }, { type: "Mine", status: "True" }];
  const words: NodeWord[] = [];
  const report = async (cpu: string): Promise<Node> => {
    const node = {
      metadata: { name: "n1" },
      status: { capacity: { cpu }, addresses: [], conditions: conditions.slice(0, 1) },
    };
    const kubelet = () => ({ address: "10.0.0.1", port: 20_000 });
    const said = (word: NodeWord): void => void words.push(word);
    await applyIntent(context(store, { kubelet, said }), {
      ...{ key: "node", kind: "node" },
      body: { node },
    });
    return await store.get({ resource: nodes, name: "n1" }) as Node;
  };
  await report("4");
  await store.update({ resource: nodes, name: "n1" }, (current) => {
    const { status } = current as Node;
    return { ...current, status: { ...status, conditions: [...conditions] } };
  }, { subresource: "status" });
  const node = await report("8");
  assert.deepEqual(words.map(({ capacity }) => capacity), [{ cpu: "4" }, { cpu: "8" }]);
  const [, word = {}] = words;
  assert.deepEqual(word.addresses, [{ type: "InternalIP", address: "10.0.0.1" }]);
  assert.deepEqual(word.conditions?.map(({ type }) => type), ["Ready"]);
  assert.equal(isOverruled(node, word), false);
});
