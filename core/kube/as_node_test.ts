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

type Way = "constrained" | "legacy";

/** A server of that version that lets its client be nodes in those ways. */
function server(version: Record<string, string>, ...allowed: Way[]) {
  return {
    server: "https://api.test",
    call: ({ path, as }: KubeCall) => {
      if (path === "/version") return Promise.resolve(version);
      const way = as?.groups?.includes("system:nodes") ? "legacy" : "constrained";
      return Promise.reject(
        allowed.includes(way)
          ? new AppError("NotFound", "no node")
          : new AppError("Forbidden", "cannot impersonate"),
      );
    },
  };
}

const OLD = { major: "1", minor: "35", gitVersion: "v1.35.0" };
const PRESENT = { major: "1", minor: "36", gitVersion: "v1.36.0" };

Deno.test.each([
  [{ major: "1", minor: "36" }, ["constrained"], "constrained"],
  [{ major: "1", minor: "36+" }, ["constrained"], "constrained"],
  [{ major: "2", minor: "0" }, ["constrained"], "constrained"],
  // An administrator's: what others with this user do does not change who a named group is.
  [PRESENT, ["constrained", "legacy"], "legacy"],
  [PRESENT, ["legacy"], "legacy"],
  [OLD, ["legacy"], "legacy"],
  [{}, ["legacy"], "legacy"],
])("impersonationMode() of version %o that allows %o is %s", async (version, allowed, expected) => {
  const present = server(version as Record<string, string>, ...allowed as readonly Way[]);
  assert.equal(await impersonationMode(present, ""), expected);
});

Deno.test("impersonationMode() is what it is told, but for what the server cannot do", async () => {
  const present = server(PRESENT, "constrained", "legacy");
  assert.equal(await impersonationMode(present, "legacy"), "legacy");
  assert.equal(await impersonationMode(present, "constrained"), "constrained");
  for (const wanted of ["constrained", ""]) {
    await assert.rejects(
      impersonationMode(server(OLD), wanted),
      (error: Error) => isAppError(error, "Unsupported") && /v1\.35.*legacy/.test(error.message),
    );
  }
  await assert.rejects(
    impersonationMode(present, "both"),
    (error) => isAppError(error, "BadRequest"),
  );
});

Deno.test("impersonationMode() says what to do where the server does not let be nodes", async () => {
  for (const wanted of ["constrained", ""]) {
    await assert.rejects(
      impersonationMode(server(PRESENT), wanted),
      (error: Error) =>
        isAppError(error, "Forbidden") && /cannot impersonate.*legacy/.test(error.message),
    );
  }
  const away = {
    ...server(PRESENT),
    call: () => Promise.reject(new AppError("ServiceUnavailable", "away")),
  };
  await assert.rejects(
    impersonationMode(away, ""),
    (error) => isAppError(error, "ServiceUnavailable"),
  );
});
