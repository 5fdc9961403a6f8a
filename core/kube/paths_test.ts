import assert from "node:assert/strict";
import { RESOURCES } from "../api/mod.ts";
import { pathOf } from "./paths.ts";

const { pods, nodes, deployments } = RESOURCES;

Deno.test("pathOf() names collections, objects and subresources, of the core group and others", () => {
  assert.equal(pathOf(nodes), "/api/v1/nodes");
  assert.equal(pathOf(pods, { namespace: "a", name: "p" }), "/api/v1/namespaces/a/pods/p");
  const at = { namespace: "a", name: "d", subresource: "status" };
  assert.equal(pathOf(deployments, at), "/apis/apps/v1/namespaces/a/deployments/d/status");
  assert.equal(pathOf(nodes, { name: "a/b" }), "/api/v1/nodes/a%2Fb");
});

Deno.test("pathOf() refuses names that lead elsewhere", () => {
  for (const odd of ["", ".", ".."]) {
    assert.throws(() => pathOf(pods, { namespace: "a", name: odd }), /no pods can have the name/);
    assert.throws(() => pathOf(nodes, { name: odd }), /no nodes can have the name/);
  }
  assert.throws(() => pathOf(pods, { namespace: "..", name: "p" }), /the name "\.\."/);
});
