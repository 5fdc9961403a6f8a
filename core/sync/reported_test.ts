import assert from "node:assert/strict";
import fc from "fast-check";
import { AppError, isAppError, seconds, VirtualClock } from "../base/mod.ts";
import { type KubeObject, type Pod, RESOURCES } from "../api/mod.ts";
import { openSqliteStore, type SqliteStore, type Store } from "../store/mod.ts";
import { MIRROR_ANNOTATION } from "../api/mod.ts";
import { applyIntent, failedResult, type IntentContext } from "./mod.ts";

const { pods, nodes, events, wasmfunctions } = RESOURCES;
const POD = { resource: pods, namespace: "default", name: "p" };
const CONTAINER = { name: "c", image: "example/app:1" };
const NOW = seconds(1_000_000);

function context(store: Store, over: Partial<IntentContext> = {}): IntentContext {
  return {
    node: "n1",
    store,
    now: NOW,
    mayHave: () => true,
    checkIdentity: () => Promise.resolve(),
    ...over,
  };
}

function openStore(): SqliteStore {
  return openSqliteStore({ path: ":memory:", clock: new VirtualClock() });
}

/** Applies an intent. Returns `ok`, or the error's code and whether the node tries again. */
async function send(
  store: Store,
  kind: string,
  key: string,
  body: unknown,
  over: Partial<IntentContext> = {},
): Promise<string> {
  try {
    await applyIntent(context(store, over), { kind, key, body: JSON.parse(JSON.stringify(body)) });
    return "ok";
  } catch (error) {
    const { code, retry } = failedResult(1, error).error ?? {};
    return `${code}${retry ? " retry" : ""}`;
  }
}

const BAD_POD_STATUS: Record<string, unknown> = {
  list: [],
  phase: { phase: {} },
  conditions: { conditions: "x" },
  "null condition": { conditions: [null] },
  "typed condition": { conditions: [{ type: 7, status: "True" }] },
  "null container": { containerStatuses: [null] },
  restarts: { containerStatuses: [{ name: "c", restartCount: 1.5 }] },
  "huge restarts": { containerStatuses: [{ name: "c", restartCount: 1e308 }] },
  startTime: { startTime: "garbage" },
  "30 February": { startTime: "2026-02-30T00:00:00Z" },
  "24 o'clock": { startTime: "2026-02-03T24:00:00Z" },
  quantity: { containerStatuses: [{ name: "c", allocatedResources: { cpu: "garbage" } }] },
  size: { message: "x".repeat(200_000) },
};

for (const [name, status] of Object.entries(BAD_POD_STATUS)) {
  Deno.test(`a pod status is refused for good and not stored: ${name}`, async () => {
    using store = openStore();
    const spec = { nodeName: "n1", containers: [CONTAINER] };
    const metadata = { name: "p", namespace: "default" };
    const made = await store.create(pods, { apiVersion: "v1", kind: "Pod", metadata, spec });
    const uid = made.metadata.uid ?? "";
    const body = { namespace: "default", name: "p", uid, status };
    const answer = await send(store, "pod-status", `pod-status/${uid}`, body);
    assert.equal(answer, "Invalid");
    assert.deepEqual((await store.get(POD))["status"], { phase: "Pending" });
  });
}

Deno.test("a pod status does not grow with conditions of ever other types", async () => {
  using store = openStore();
  const spec = { nodeName: "n1", containers: [CONTAINER] };
  const metadata = { name: "p", namespace: "default" };
  const made = await store.create(pods, { apiVersion: "v1", kind: "Pod", metadata, spec });
  const uid = made.metadata.uid ?? "";
  const answers = [];
  for (let i = 0; i < 3; i++) {
    const conditions = [{ type: `T${i}`, status: "True", message: "x".repeat(60_000) }];
    const body = { namespace: "default", name: "p", uid, status: { conditions } };
    answers.push(await send(store, "pod-status", `pod-status/${uid}`, body));
  }
  assert.deepEqual(answers, ["ok", "ok", "Invalid"]);
});

const BAD_NODES: Record<string, Record<string, unknown>> = {
  allocatable: { status: { allocatable: { cpu: "garbage" } } },
  "allocatable text": { status: { allocatable: "garbage" } },
  "null condition": { status: { conditions: [null] } },
  "typed condition": { status: { conditions: [{ type: { a: 1 }, status: 7 }] } },
  addresses: { status: { addresses: "x" } },
  images: { status: { images: [{ names: [null], sizeBytes: 1 }] } },
  taints: { spec: { taints: [null] }, status: {} },
  labels: { metadata: { name: "n1", labels: "x" }, status: {} },
  size: { status: { conditions: [{ type: "Ready", status: "True", message: "x".repeat(2e5) }] } },
};

for (const [name, node] of Object.entries(BAD_NODES)) {
  Deno.test(`a node's report is refused for good and not stored: ${name}`, async () => {
    using store = openStore();
    const body = { node: { metadata: { name: "n1" }, ...node } };
    assert.equal(await send(store, "node", "node", body), "Invalid");
    assert.deepEqual((await store.list(nodes)).items, []);
  });
}

function mirror(over: Record<string, unknown> = {}, metadata: Record<string, unknown> = {}) {
  const meta = { name: "p", namespace: "default", uid: "u1", ...metadata };
  return { pod: { metadata: meta, spec: { containers: [CONTAINER] }, status: {}, ...over } };
}

const BAD_MIRRORS: Record<string, unknown> = {
  "null container": mirror({ spec: { containers: [null] } }),
  tolerations: mirror({ spec: { containers: [CONTAINER], tolerations: 7 } }),
  requests: mirror({
    spec: { containers: [{ ...CONTAINER, resources: { requests: { cpu: { a: 1 } } } }] },
  }),
  overhead: mirror({ spec: { containers: [CONTAINER], overhead: { cpu: "garbage" } } }),
  status: mirror({ status: [1] }),
  "container statuses": mirror({ status: { containerStatuses: [null] } }),
  labels: mirror({}, { labels: "xx" }),
  annotations: mirror({}, { annotations: ["x"] }),
  name: mirror({}, { name: "../x/y Z" }),
  namespace: mirror({}, { namespace: "default/../x" }),
  size: mirror({ status: { message: "x".repeat(200_000) } }),
};

for (const [name, body] of Object.entries(BAD_MIRRORS)) {
  Deno.test(`a mirror is refused for good and not stored: ${name}`, async () => {
    using store = openStore();
    assert.equal(await send(store, "pod-mirror", "pod-mirror/u1", body), "Invalid");
    assert.deepEqual((await store.list(pods)).items, []);
  });
}

Deno.test("a mirror belongs to its Node, and gets its owner later when it had none", async () => {
  using store = openStore();
  assert.equal(await send(store, "pod-mirror", "pod-mirror/u1", mirror()), "ok");
  assert.equal((await store.get(POD)).metadata.ownerReferences, undefined);
  const node = { apiVersion: "v1", kind: "Node", metadata: { name: "n1" } };
  const { uid } = (await store.create(nodes, node)).metadata;
  await send(store, "pod-mirror", "pod-mirror/u1", mirror());
  const owner = { apiVersion: "v1", kind: "Node", name: "n1", uid, controller: true };
  const { metadata, spec } = await store.get(POD);
  assert.deepEqual(metadata.ownerReferences, [owner]);
  assert.equal(spec.restartPolicy, "Always", "with the API's defaults");
});

Deno.test("a mirror that somebody deleted is made again by the next report", async () => {
  using store = openStore();
  const body = mirror({ status: { phase: "Running" } });
  await send(store, "pod-mirror", "pod-mirror/u1", body);
  const first = await store.get(POD);
  await store.delete(POD);
  assert.ok((await store.get(POD)).metadata.deletionTimestamp, "it waits for its node");
  assert.equal(await send(store, "pod-mirror", "pod-mirror/u1", body), "ok");
  const again = await store.get(POD) as Pod;
  assert.notEqual(again.metadata.uid, first.metadata.uid);
  assert.equal(again.metadata.deletionTimestamp, undefined);
  assert.equal(again.status?.phase, "Running");
});

Deno.test("a node has no mirror in the hub's own namespace, and not more than 500", async () => {
  using store = openStore();
  const own = mirror({}, { namespace: "skerry-system" });
  assert.equal(await send(store, "pod-mirror", "pod-mirror/u1", own), "Forbidden");
  store.transact((tx) => {
    for (let i = 0; i < 500; i++) {
      const annotations = { [MIRROR_ANNOTATION]: `m${i}` };
      const metadata = { name: `m${i}`, namespace: "default", annotations };
      const spec = { nodeName: "n1", containers: [CONTAINER] };
      tx.create(pods, { apiVersion: "v1", kind: "Pod", metadata, spec });
    }
  });
  assert.equal(await send(store, "pod-mirror", "pod-mirror/u1", mirror()), "Invalid");
  const known = mirror({}, { name: "m7", uid: "m7" });
  assert.equal(await send(store, "pod-mirror", "pod-mirror/m7", known), "ok");
  const other = await send(store, "pod-mirror", "pod-mirror/u1", mirror(), { node: "n2" });
  assert.equal(other, "ok", "another node has its own number");
});

function eventBody(over: Record<string, unknown> = {}, metadata: Record<string, unknown> = {}) {
  return {
    event: {
      metadata: { name: "e", namespace: "default", ...metadata },
      involvedObject: { apiVersion: "v1", kind: "Node", name: "n1" },
      ...over,
    },
  };
}

const BAD_EVENTS: Record<string, unknown> = {
  reason: eventBody({ reason: {} }),
  count: eventBody({ count: 1e308 }),
  time: eventBody({ lastTimestamp: "xx" }),
  labels: eventBody({}, { labels: 7 }),
  involved: eventBody({ involvedObject: { kind: "Pod", namespace: { a: 1 }, name: ["x"] } }),
  series: eventBody({ series: 5 }),
};

for (const [name, body] of Object.entries(BAD_EVENTS)) {
  Deno.test(`an event is refused for good and not stored: ${name}`, async () => {
    using store = openStore();
    assert.equal(await send(store, "event", "event/default/e", body), "Invalid");
    assert.deepEqual((await store.list(events)).items, []);
  });
}

Deno.test("an event needs a name that the API can serve", async () => {
  using store = openStore();
  for (const name of ["a/b", "../x", "a\u0000b", "A", "x".repeat(300)]) {
    const answer = await send(store, "event", `event/default/${name}`, eventBody({}, { name }));
    assert.equal(answer, "Invalid", name);
  }
  assert.deepEqual((await store.list(events)).items, []);
});

Deno.test("an event of a node whose clock is ahead has the hub's time", async () => {
  using store = openStore();
  const body = eventBody({ lastTimestamp: "9999-01-01T00:00:00Z", count: 2 });
  assert.equal(await send(store, "event", "event/default/e", body), "ok");
  const ref = { resource: events, namespace: "default", name: "e" };
  assert.equal((await store.get(ref))["lastTimestamp"], "1970-01-12T13:46:40Z");
});

Deno.test("a node that may make no more events is told to try later, and may count known ones", async () => {
  using store = openStore();
  assert.equal(await send(store, "event", "event/default/e", eventBody()), "ok");
  const takeEventBytes = () => false;
  const again = eventBody({ count: 5 });
  assert.equal(await send(store, "event", "event/default/e", again, { takeEventBytes }), "ok");
  const other = eventBody({}, { name: "f" });
  const answer = await send(store, "event", "event/default/f", other, { takeEventBytes });
  assert.equal(answer, "TooManyRequests retry");
  const { items } = await store.list(events);
  assert.deepEqual(items.map((event) => [event.metadata.name, event["count"]]), [["e", 5]]);
  const long = eventBody({ message: "x".repeat(8000) });
  assert.equal(
    await send(store, "event", "event/default/e", long, { takeEventBytes }),
    "TooManyRequests retry",
    "a known one that grows",
  );
});

const SERVING = { ready: true, reason: "Serving" };
const COUNTERS = { requests: 1, errors: 0, timeouts: 0, traps: 0, rejected: 0 };
const BAD_FUNCTIONS: Record<string, Record<string, unknown>> = {
  ready: { ready: "yes", reason: "Serving" },
  reason: { ready: true, reason: "two words" },
  message: { ...SERVING, message: { a: 1 } },
  counters: { ...SERVING, invocations: "abc" },
  "missing counters": { ...SERVING, invocations: { requests: 1 } },
  "huge counters": { ...SERVING, invocations: { ...COUNTERS, requests: 1e308 } },
  "negative counters": { ...SERVING, invocations: { ...COUNTERS, errors: -5 } },
  urls: { ...SERVING, urls: 7 },
  time: { ...SERVING, lastTransitionTime: 7 },
  size: { ...SERVING, message: "x".repeat(20_000) },
};

async function withFunction(store: Store): Promise<KubeObject> {
  return await store.create(wasmfunctions, {
    apiVersion: "skerry.dev/v1alpha1",
    kind: "WasmFunction",
    metadata: { name: "f", namespace: "default" },
    spec: { source: { file: "f.wasm" } },
  });
}

for (const [name, node] of Object.entries(BAD_FUNCTIONS)) {
  Deno.test(`a function's report is refused for good and not stored: ${name}`, async () => {
    using store = openStore();
    const { uid = "" } = (await withFunction(store)).metadata;
    const body = { namespace: "default", name: "f", uid, node };
    const answer = await send(store, "function-status", `function-status/${uid}`, body);
    assert.equal(answer, "Invalid");
    const ref = { resource: wasmfunctions, namespace: "default", name: "f" };
    assert.equal((await store.get(ref))["status"], undefined);
  });
}

Deno.test("what agents report is taken as it is", async () => {
  using store = openStore();
  const { uid = "" } = (await withFunction(store)).metadata;
  const report = {
    ...SERVING,
    message: "",
    observedGeneration: 1,
    urls: ["http://127.0.0.1:8080/default/f"],
    invocations: COUNTERS,
    lastTransitionTime: "2026-01-01T00:00:00Z",
    later: { any: ["thing"] },
  };
  const body = { namespace: "default", name: "f", uid, node: report };
  assert.equal(await send(store, "function-status", `function-status/${uid}`, body), "ok");
  const ref = { resource: wasmfunctions, namespace: "default", name: "f" };
  assert.deepEqual((await store.get(ref))["status"].nodes, [{ ...report, name: "n1" }]);
  const status = {
    phase: "Running",
    startTime: "2026-02-28T23:59:59.123456Z",
    containerStatuses: [{ name: "c", ready: true, restartCount: 2, image: "", imageID: "" }],
    conditions: [{ type: "Ready", status: "True", lastProbeTime: null }],
  };
  assert.equal(await send(store, "pod-mirror", "pod-mirror/u1", mirror({ status })), "ok");
  assert.deepEqual((await store.get(POD))["status"], status);
});

Deno.test("a body that a handler stumbles over is refused for good; a store that fails is not", async () => {
  using store = openStore();
  const failing = (error: Error): Store =>
    new Proxy(store as Store, {
      get: (target, name: keyof Store) =>
        name === "update"
          ? () => Promise.reject(error)
          : (target[name] as (...args: unknown[]) => unknown).bind(target),
    });
  const body = { node: { metadata: { name: "n1" }, status: {} } };
  const stumbled = await send(failing(new TypeError("x is not iterable")), "node", "node", body);
  assert.equal(stumbled, "Invalid");
  assert.equal(await send(failing(new Error("disk")), "node", "node", body), "InternalError retry");
  const busy = new AppError("ServiceUnavailable", "later");
  const answer = await send(failing(busy), "node", "node", body);
  assert.ok(isAppError(busy) && answer === "ServiceUnavailable retry");
});

Deno.test("whatever a node reports is stored or refused for good, and never tried for ever", async () => {
  using store = openStore();
  const { uid = "" } = (await withFunction(store)).metadata;
  const junk = fc.oneof(
    { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
    fc.constantFrom([null], {}, [], null, 7, "x", [{}], { a: null }, [[]], 1e308, "\u0000"),
  );
  const fields = fc.constantFrom(
    ...[
      "conditions",
      "containerStatuses",
      "phase",
      "startTime",
      "podIPs",
      "allocatable",
      "capacity",
    ],
    ...[
      "addresses",
      "nodeInfo",
      "images",
      "daemonEndpoints",
      "containers",
      "tolerations",
      "volumes",
    ],
    ...[
      "initContainers",
      "affinity",
      "nodeSelector",
      "resources",
      "taints",
      "labels",
      "annotations",
    ],
    ...["involvedObject", "reason", "count", "series", "source", "invocations", "urls", "ready"],
  );
  const part = fc.dictionary(fields, junk, { maxKeys: 4 });
  await fc.assert(
    fc.asyncProperty(part, part, part, async (spec, status, metadata) => {
      const meta = { ...metadata, name: "n1" };
      const placed = { ...metadata, name: "p", namespace: "default", uid: "u1" };
      const pod = { metadata: placed, spec: { containers: [CONTAINER], ...spec }, status };
      const event = { involvedObject: { kind: "Node", name: "n1" }, ...spec, metadata: placed };
      const where = { namespace: "default", name: "f", uid };
      const node = { ...SERVING, ...status };
      for (
        const answer of [
          await send(store, "node", "node", { node: { metadata: meta, spec, status } }),
          await send(store, "pod-mirror", "pod-mirror/u1", { pod }),
          await send(store, "event", "event/default/p", { event }),
          await send(store, "function-status", `function-status/${uid}`, { ...where, node }),
        ]
      ) assert.match(answer, /^(ok|Invalid|BadRequest|Forbidden)$/);
    }),
    { numRuns: 300 },
  );
});
