import assert from "node:assert/strict";
import { type ResourceDef, RESOURCES, VOLUME_LIST } from "../api/mod.ts";
import { AppError, isAppError } from "../base/mod.ts";
import type { KubeCall } from "./client.ts";
import { asNode, impersonationMode } from "./as_node.ts";

const { secrets, configmaps, pods, nodes } = RESOURCES;

Deno.test("asNode() writes as the node, and reads as it what only its pods name", () => {
  const be = asNode("gw1", "constrained");
  const user = { user: "system:node:gw1" };
  for (const resource of [secrets, configmaps, pods, nodes]) {
    assert.deepEqual(be("write", resource), user);
  }
  const reads: [ResourceDef, unknown][] = [
    ...[secrets, ...VOLUME_LIST].map((one): [ResourceDef, unknown] => [one, user]),
    [configmaps, undefined],
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

function server(version: Record<string, string>, answer = new AppError("NotFound", "no node")) {
  return {
    server: "https://api.test",
    call: ({ path }: KubeCall) =>
      path === "/version" ? Promise.resolve(version) : Promise.reject(answer),
  };
}

Deno.test.each([
  [{ major: "1", minor: "36" }, "constrained"],
  [{ major: "1", minor: "36+" }, "constrained"],
  [{ major: "1", minor: "35" }, "legacy"],
  [{ major: "1", minor: "9" }, "legacy"],
  [{ major: "2", minor: "0" }, "constrained"],
  [{}, "legacy"],
])("impersonationMode() of version %o is %s", async (version, expected) => {
  assert.equal(await impersonationMode(server(version as Record<string, string>), ""), expected);
});

Deno.test("impersonationMode() is what it is told, but for what the server cannot do", async () => {
  const old = server({ major: "1", minor: "35", gitVersion: "v1.35.0" });
  const present = server({ major: "1", minor: "36", gitVersion: "v1.36.0" });
  assert.equal(await impersonationMode(present, "legacy"), "legacy");
  assert.equal(await impersonationMode(present, "constrained"), "constrained");
  await assert.rejects(
    impersonationMode(old, "constrained"),
    (error: Error) => isAppError(error, "Unsupported") && /v1\.35.*legacy/.test(error.message),
  );
  await assert.rejects(
    impersonationMode(present, "both"),
    (error) => isAppError(error, "BadRequest"),
  );
});

Deno.test("impersonationMode() is legacy where the server knows but does not let be nodes", async () => {
  const version = { major: "1", minor: "36", gitVersion: "v1.36.0" };
  const off = server(version, new AppError("Forbidden", "cannot impersonate"));
  assert.equal(await impersonationMode(off, ""), "legacy");
  assert.equal(await impersonationMode(off, "legacy"), "legacy");
  await assert.rejects(
    impersonationMode(off, "constrained"),
    (error: Error) =>
      isAppError(error, "Forbidden") && /cannot impersonate.*legacy/.test(error.message),
  );
  await assert.rejects(
    impersonationMode(server(version, new AppError("ServiceUnavailable", "away")), ""),
    (error) => isAppError(error, "ServiceUnavailable"),
  );
});
