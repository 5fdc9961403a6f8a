import assert from "node:assert/strict";
import fc from "fast-check";
import { isAppError, ms, seededRandom } from "../base/mod.ts";
import { type KubeObject, RESOURCES } from "../api/mod.ts";
import { planDelete } from "./deletion.ts";
import { deepEqual, deepFreeze } from "./json.ts";
import { generateName, planUpdate, prepareCreate } from "./semantics.ts";

const { configmaps, namespaces, nodes, pods } = RESOURCES;
const NOW = ms(Date.UTC(2026, 0, 1));

function pod(spec: Record<string, unknown>, status?: Record<string, unknown>): KubeObject {
  return deepFreeze({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "a", uid: "u1", resourceVersion: "5", generation: 1 },
    spec,
    ...(status ? { status } : {}),
  });
}

Deno.test("generateName() adds five characters and keeps within 63", () => {
  fc.assert(fc.property(fc.string({ maxLength: 80 }), fc.integer(), (base, seed) => {
    const name = generateName(base, seededRandom(seed));
    assert.match(name.slice(-5), /^[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    assert.ok(name.length <= 63 && base.startsWith(name.slice(0, -5)));
  }));
});

Deno.test("prepareCreate() removes what only a store may set, and refuses a version", () => {
  const given: KubeObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "web",
      namespace: "a",
      uid: "mine",
      generation: 7,
      creationTimestamp: "1999-01-01T00:00:00Z",
      deletionTimestamp: "1999-01-01T00:00:00Z",
      deletionGracePeriodSeconds: 3,
    },
    spec: {},
    status: { phase: "Running" },
  };
  const context = { now: NOW, uid: "u1", random: seededRandom(1) };
  assert.deepEqual(prepareCreate(pods, given, context), {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "web",
      namespace: "a",
      uid: "u1",
      generation: 1,
      creationTimestamp: "2026-01-01T00:00:00Z",
    },
    spec: {},
    status: { phase: "Pending" },
  });
  given.metadata.resourceVersion = "4";
  assert.throws(() => prepareCreate(pods, given, context), (e) => isAppError(e, "BadRequest"));
});

Deno.test("prepareCreate() refuses a namespace that is missing or does not belong", () => {
  const context = { now: NOW, uid: "u1", random: seededRandom(1) };
  const bare = { apiVersion: "v1", kind: "X", metadata: { name: "one" } };
  const placed = { ...bare, metadata: { name: "one", namespace: "a" } };
  for (const [resource, object] of [[configmaps, bare], [nodes, placed]] as const) {
    assert.throws(
      () => prepareCreate(resource, object, context),
      (error) => isAppError(error, "BadRequest"),
    );
  }
});

Deno.test("planUpdate() refuses the status of a kind that has none", () => {
  const object = deepFreeze({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } });
  assert.throws(
    () => planUpdate(configmaps, object, object, "status"),
    (error) => isAppError(error, "NotFound"),
  );
});

Deno.test("planDelete() gives a grace only to pods that may be running", () => {
  const table: [KubeObject, number | undefined, number | "remove"][] = [
    [pod({ nodeName: "n" }), undefined, 30],
    [pod({ nodeName: "n", terminationGracePeriodSeconds: 7 }), undefined, 7],
    [pod({ nodeName: "n", terminationGracePeriodSeconds: 0 }), undefined, "remove"],
    [pod({ nodeName: "n", terminationGracePeriodSeconds: -5 }), undefined, 1],
    [pod({ nodeName: "n", terminationGracePeriodSeconds: 7 }), 100, 100],
    [pod({ nodeName: "n" }), 0, "remove"],
    [pod({}), 60, "remove"],
    [pod({ nodeName: "n" }, { phase: "Succeeded" }), undefined, "remove"],
    [pod({ nodeName: "n" }, { phase: "Failed" }), 50, "remove"],
    [pod({ nodeName: "n" }, { phase: "Running" }), undefined, 30],
  ];
  for (const [object, asked, expected] of table) {
    const options = asked === undefined ? {} : { gracePeriodSeconds: asked };
    const outcome = planDelete(pods, object, options, NOW);
    if (expected === "remove") assert.equal(outcome.action, "remove");
    else {
      assert.ok(outcome.action === "store");
      assert.equal(outcome.object.metadata.deletionGracePeriodSeconds, expected);
      assert.equal(outcome.object.metadata.generation, 2);
    }
  }
});

Deno.test("planDelete() lets the finalizers of a namespace's spec hold it", () => {
  const space = deepFreeze({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "a" },
    spec: { finalizers: ["kubernetes"] },
    status: { phase: "Active" },
  });
  const outcome = planDelete(namespaces, space, {}, NOW);
  assert.ok(outcome.action === "store");
  assert.deepEqual(outcome.object.status, { phase: "Terminating" });
  assert.equal(planDelete(namespaces, { ...space, spec: {} }, {}, NOW).action, "remove");
});

Deno.test("deepEqual() agrees with the strict comparison of JSON values, whatever the field order", () => {
  const value = fc.jsonValue({ maxDepth: 3 });
  fc.assert(fc.property(value, value, (a, b) => {
    const text = (v: unknown): string => JSON.stringify(sorted(v));
    assert.equal(deepEqual(a, b), text(a) === text(b));
    assert.ok(deepEqual(a, JSON.parse(JSON.stringify(sorted(a)))));
  }));
});

/** The same value with the fields of every object in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? 0 : value;
  return Object.fromEntries(
    Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([k, v]) => [k, sorted(v)]),
  );
}
