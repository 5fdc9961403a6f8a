import assert from "node:assert/strict";
import { isAppError } from "../base/mod.ts";
import { impersonationMode } from "./as_node.ts";

function server(minor: string) {
  const version = { major: "1", minor, gitVersion: `v1.${minor}.0` };
  return { server: "https://api.test", call: () => Promise.resolve(version) };
}

Deno.test("impersonationMode() goes by the server's version unless it is told", async () => {
  assert.equal(await impersonationMode(server("35"), ""), "legacy");
  assert.equal(await impersonationMode(server("36+"), ""), "constrained");
  assert.equal(await impersonationMode(server("36"), "legacy"), "legacy");
  assert.equal(await impersonationMode(server("36"), "constrained"), "constrained");
});

Deno.test("impersonationMode() refuses what the server cannot do and what is no mode", async () => {
  await assert.rejects(
    impersonationMode(server("35"), "constrained"),
    (error: Error) => isAppError(error, "Unsupported") && /v1\.35.*legacy/.test(error.message),
  );
  await assert.rejects(
    impersonationMode(server("36"), "both"),
    (error) => isAppError(error, "BadRequest"),
  );
});
