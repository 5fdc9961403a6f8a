import assert from "node:assert/strict";
import { acceptedManifests, refusedManifests } from "../../../tests/golden/kubeedge/manifests.ts";
import { customKind, pruneCustom, RESOURCE_LIST, resourceOfKind, RESOURCES } from "../mod.ts";
import { validateObject } from "../validate/mod.ts";
import type { KubeObject, ResourceDef } from "../object.ts";

function resourceOf({ apiVersion, kind }: KubeObject): ResourceDef {
  const resource = resourceOfKind(apiVersion, kind);
  assert.ok(resource, `${apiVersion} ${kind}`);
  return resource;
}

Deno.test("every kind of KubeEdge takes manifests as KubeEdge's users have them", async () => {
  const seen = new Set<string>();
  for (const object of await acceptedManifests()) {
    const resource = resourceOf(object);
    assert.deepEqual(validateObject(resource, object), [], object.metadata.name);
    const pruned = pruneCustom(resource, object);
    assert.deepEqual(pruned.unknown, []);
    assert.deepEqual(pruned.object, object);
    seen.add(object.kind);
  }
  const kinds = RESOURCE_LIST.filter(customKind).map(({ kind }) => kind);
  assert.equal(kinds.length, 12);
  assert.deepEqual(kinds.filter((kind) => !seen.has(kind)), []);
});

Deno.test("validateObject() says what is wrong with a kind of KubeEdge in Kubernetes' words", async () => {
  for (const { object, expect } of await refusedManifests()) {
    const resource = resourceOf(object);
    const problems = validateObject(resource, object).map((one) => `${one.field}: ${one.message}`);
    const { unknown } = pruneCustom(resource, object);
    const all = [
      ...problems,
      ...unknown.map((field) => `strict decoding error: unknown field "${field}"`),
    ];
    assert.ok(all.some((text) => text.includes(expect)), `${expect} in ${all.join("\n")}`);
  }
});

Deno.test("pruneCustom() drops what KubeEdge's CRDs drop and keeps what they keep", () => {
  const device: KubeObject = {
    apiVersion: "devices.kubeedge.io/v1beta1",
    kind: "Device",
    metadata: { name: "d" },
    spec: {
      nodeSelector: {},
      protocol: { protocolName: "x", common: {}, configData: { any: [{ thing: 1 }] } },
      properties: [{ name: "a", dataType: "int", visitors: { configData: { b: { c: 1 } } } }],
    },
    status: { anything: 1 },
    extra: true,
  };
  const { object, unknown } = pruneCustom(RESOURCES.devices, device);
  assert.deepEqual(object, {
    apiVersion: "devices.kubeedge.io/v1beta1",
    kind: "Device",
    metadata: { name: "d" },
    spec: {
      protocol: { protocolName: "x", configData: { any: [{ thing: 1 }] } },
      properties: [{ name: "a", visitors: { configData: { b: { c: 1 } } } }],
    },
    status: { anything: 1 },
  });
  assert.deepEqual(unknown, [
    "spec.nodeSelector",
    "spec.protocol.common",
    "spec.properties[0].dataType",
    "extra",
  ]);
  assert.ok(device["extra"], "the argument stays as it is");
});

Deno.test("pruneCustom() leaves other kinds and values of a wrong type alone", () => {
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, odd: 1 };
  assert.equal(pruneCustom(RESOURCES.pods, pod).object, pod);
  const group = {
    apiVersion: "apps.kubeedge.io/v1alpha1",
    kind: "NodeGroup",
    metadata: { name: "g" },
    spec: "text",
  };
  assert.deepEqual(pruneCustom(RESOURCES.nodegroups, group).object, group);
});
