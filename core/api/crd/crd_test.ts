import assert from "node:assert/strict";
import { z } from "zod";
import { customKind, RESOURCE_LIST, RESOURCES } from "../mod.ts";
import { crdOf, structuralSchema } from "./mod.ts";

/** What an API server demands of every place of a CRD's schema. */
function checkStructural(path: string, schema: Record<string, unknown>): void {
  const free = schema["x-kubernetes-int-or-string"] ||
    schema["x-kubernetes-preserve-unknown-fields"];
  assert.ok(typeof schema["type"] === "string" || free, `${path} has no type`);
  for (const word of ["$ref", "$defs", "oneOf", "anyOf", "allOf", "not", "additionalItems"]) {
    assert.ok(!(word in schema), `${path} has ${word}`);
  }
  assert.ok(!("properties" in schema && "additionalProperties" in schema), path);
  const inner = schema["properties"] ?? {};
  for (const [key, value] of Object.entries(inner)) checkStructural(`${path}.${key}`, value);
  for (const key of ["items", "additionalProperties"]) {
    const value = schema[key];
    if (value !== undefined) checkStructural(`${path}[]`, value as Record<string, unknown>);
  }
  if (schema["type"] === "array") assert.ok(schema["items"], `${path} has no items`);
}

Deno.test("crdOf() makes structural schemas of all kinds that are not Kubernetes' own", () => {
  for (const resource of RESOURCE_LIST.filter(customKind)) {
    const crd = crdOf(resource);
    assert.equal(crd.metadata.name, `${resource.plural}.${resource.group}`);
    const [version] = crd["spec"].versions;
    assert.deepEqual([version.served, version.storage], [true, true]);
    assert.equal("subresources" in version, resource.hasStatus, resource.kind);
    const names = version.additionalPrinterColumns.map(({ name }: { name: string }) => name);
    assert.ok(names.includes("Age"), resource.kind);
    checkStructural(resource.kind, version.schema.openAPIV3Schema);
  }
});

Deno.test("crdOf() gives names, scope and short names as KubeEdge has them", () => {
  const { scope, names } = crdOf(RESOURCES.nodegroups)["spec"];
  assert.equal(scope, "Cluster");
  assert.deepEqual(names, {
    kind: "NodeGroup",
    listKind: "NodeGroupList",
    plural: "nodegroups",
    singular: "nodegroup",
    shortNames: ["ng"],
  });
  assert.equal(crdOf(RESOURCES.devices)["spec"].scope, "Namespaced");
  assert.deepEqual(crdOf(RESOURCES.wasmfunctions)["spec"].names.categories, ["all"]);
});

Deno.test("crdOf() refuses Kubernetes' own kinds", () => {
  assert.throws(() => crdOf(RESOURCES.pods), RangeError);
});

Deno.test("crdOf() has the scale subresource of a kind that can be scaled", () => {
  const scale = { spec: "spec.replicas", status: "status.replicas", selector: "status.selector" };
  const [version] = crdOf({ ...RESOURCES.edgeapplications, scale })["spec"].versions;
  assert.deepEqual(version.subresources, {
    status: {},
    scale: {
      specReplicasPath: ".spec.replicas",
      statusReplicasPath: ".status.replicas",
      labelSelectorPath: ".status.selector",
    },
  });
});

Deno.test.each([
  ["a text", z.string().min(1).regex(/^a/), { type: "string", minLength: 1, pattern: "^a" }],
  ["a whole number", z.number().int(), { type: "integer" }],
  ["bounds", z.number().int().min(1).max(9), { type: "integer", minimum: 1, maximum: 9 }],
  ["a number or text", z.union([z.string(), z.number()]), { "x-kubernetes-int-or-string": true }],
  ["anything", z.unknown(), { "x-kubernetes-preserve-unknown-fields": true }],
  ["a map", z.record(z.string(), z.boolean()), {
    type: "object",
    additionalProperties: { type: "boolean" },
  }],
  ["an object that keeps the rest", z.looseObject({ a: z.string() }), {
    type: "object",
    required: ["a"],
    properties: { a: { type: "string" } },
    "x-kubernetes-preserve-unknown-fields": true,
  }],
  ["an object that drops the rest", z.object({ a: z.string().optional() }), {
    type: "object",
    properties: { a: { type: "string" } },
  }],
])("structuralSchema() of %s", (_what, schema: z.ZodType, expected) => {
  assert.deepEqual(structuralSchema(schema), expected);
});
