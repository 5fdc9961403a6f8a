import { deepStrictEqual, throws } from "node:assert/strict";
import { isAppError } from "../base/mod.ts";
import { agentPermissions, hubPermissions, permissionFlags } from "./permissions.ts";
import { AGENT_OPTIONS, HUB_OPTIONS } from "./parts.ts";
import { parseOptions } from "./options.ts";

Deno.test("permissionFlags() lists every item once and leaves out empty kinds", () => {
  deepStrictEqual(permissionFlags({ read: ["/a", "/b", "/a"], write: [], net: ["h:1"] }), [
    "--allow-read=/a,/b",
    "--allow-net=h:1",
  ]);
});

Deno.test("permissionFlags() refuses a path with a comma, which would grant two others", () => {
  const options = parseOptions(HUB_OPTIONS, ["--state-dir=/a,/etc"]);
  throws(
    () => permissionFlags(hubPermissions(options)),
    (error: Error) => isAppError(error, "BadRequest") && error.message.startsWith("/a,/etc: "),
  );
});

Deno.test("agentPermissions() grants the node's own address only when an option names it", () => {
  const net = (...args: string[]): readonly string[] =>
    agentPermissions(parseOptions(AGENT_OPTIONS, args)).net;
  deepStrictEqual(
    net("--node-ip=192.0.2.7").filter((item) => !net().includes(item)),
    ["192.0.2.7"],
  );
});
