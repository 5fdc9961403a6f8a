import assert from "node:assert/strict";
import { type ResourceDef, RESOURCES } from "../api/mod.ts";
import { asNode, impersonationMode } from "./as_node.ts";
import type { KubeClient } from "./client.ts";

const { secrets, configmaps, pods, nodes } = RESOURCES;

Deno.test("asNode() writes as the node, and reads as it what only its pods name", () => {
  const be = asNode("gw1", "constrained");
  const user = { user: "system:node:gw1" };
  for (const resource of [secrets, configmaps, pods, nodes]) {
    assert.deepEqual(be("write", resource), user);
  }
  const reads: [ResourceDef, unknown][] = [
    [secrets, user],
    [configmaps, user],
    [pods, undefined],
    [nodes, undefined],
  ];
  for (const [resource, expected] of reads) assert.deepEqual(be("read", resource), expected);
});

Deno.test("asNode() names the nodes' group where the server does not know it by itself", () => {
  assert.deepEqual(asNode("gw1", "legacy")("write", pods), {
    user: "system:node:gw1",
    groups: ["system:nodes"],
  });
});

Deno.test.each([
  [{ major: "1", minor: "36" }, "constrained"],
  [{ major: "1", minor: "36+" }, "constrained"],
  [{ major: "1", minor: "35" }, "legacy"],
  [{ major: "1", minor: "9" }, "legacy"],
  [{ major: "2", minor: "0" }, "constrained"],
  [{}, "legacy"],
])("impersonationMode() of version %o is %s", async (version, expected) => {
  const client = { call: () => Promise.resolve(version) } as unknown as KubeClient;
  assert.equal(await impersonationMode(client), expected);
});
