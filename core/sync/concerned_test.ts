import assert from "node:assert/strict";
import { type KubeObject, type ResourceDef, RESOURCES, VOLUME_RESOURCES } from "../api/mod.ts";
import { concernedBy } from "./concerned.ts";
import { ENDPOINTS_LABEL } from "./interest.ts";

const { pods, nodes, wasmfunctions, services, endpointslices, configmaps } = RESOURCES;
const { persistentvolumes } = VOLUME_RESOURCES;

const AUDIENCE = {
  all: () => ["everybody"],
  watching: (key: string) => [`who sees ${key}`],
  ofNamespace: (namespace: string) => [`who is told of ${namespace}`],
};

function object(rest: Record<string, unknown>, metadata: Record<string, unknown> = {}): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Any",
    metadata: { name: "x", namespace: "a", ...metadata },
    ...rest,
  };
}

function concerned(
  resource: ResourceDef,
  previous: KubeObject | undefined,
  object: KubeObject | undefined,
): string[] {
  return [...concernedBy({ resource, object, previous }, AUDIENCE)];
}

Deno.test("concernedBy() names the nodes of a pod that comes, goes, moves or names something else", () => {
  const on = (nodeName: string | undefined, rest = {}) => object({ spec: { nodeName, ...rest } });
  const mounts = { volumes: [{ name: "v", configMap: { name: "c" } }] };
  assert.deepEqual(concerned(pods, undefined, on("n1")), ["n1"]);
  assert.deepEqual(concerned(pods, on("n1"), undefined), ["n1"]);
  assert.deepEqual(concerned(pods, on(undefined), on("n1")), ["n1"]);
  assert.deepEqual(concerned(pods, on("n1"), on("n1", mounts)), ["n1", "n1"]);
  assert.deepEqual(concerned(pods, on("n1"), on("n1", { priority: 1 })), []);
});

Deno.test("concernedBy() names nobody when nothing that interest looks at has changed", () => {
  const node = object({ status: {} }, { labels: { a: "b" } });
  assert.deepEqual(concerned(nodes, node, { ...node, status: { phase: "x" } }), []);
  assert.deepEqual(concerned(nodes, node, object({}, { labels: { a: "c" } })), ["x"]);
  const fn = object({ spec: { a: 1 } });
  assert.deepEqual(concerned(wasmfunctions, fn, { ...fn, status: {} }), []);
  assert.deepEqual(concerned(wasmfunctions, fn, undefined), ["everybody"]);
  assert.deepEqual(concerned(configmaps, undefined, object({})), []);
  assert.deepEqual(concerned(pods, undefined, undefined), []);
});

Deno.test("concernedBy() names who is told of a namespace's Services and asked-for slices", () => {
  const service = (clusterIP: string) => object({ spec: { clusterIP } });
  assert.deepEqual(concerned(services, undefined, service("10.96.0.9")), ["who is told of a"]);
  assert.deepEqual(concerned(services, service("10.96.0.9"), service("10.96.0.9")), []);
  const slice = (labels = {}) => object({}, { labels });
  const asked = slice({ [ENDPOINTS_LABEL]: "" });
  assert.deepEqual(concerned(endpointslices, slice(), asked), ["who is told of a"]);
  assert.deepEqual(concerned(endpointslices, asked, asked), []);
});

Deno.test("concernedBy() names who sees a claim or a volume, whatever has changed of it", () => {
  const volume = object({}, { namespace: undefined });
  assert.deepEqual(concerned(persistentvolumes, volume, volume), ["who sees persistentvolumes//x"]);
});
