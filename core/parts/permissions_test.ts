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
  const options = { ...parseOptions(HUB_OPTIONS, []), "state-dir": "/a,/etc" };
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

Deno.test("an IPv6 address stands in brackets, as Deno reads no other", () => {
  const cluster = { host: "[fd00:1::1]:443", files: [] };
  const addresses = ["api-address", "metrics-address", "kubelet-address"].map((name) =>
    `--${name}=fd00::9`
  );
  const hub = (...args: string[]) =>
    hubPermissions(parseOptions(HUB_OPTIONS, [...addresses, ...args]), cluster).net;
  deepStrictEqual(hub("--node-address=::"), [
    ...["[fd00:1::1]:443", "[::]:10000", "[::1]:10000", "[fd00::9]", "[fd00::9]:9091"],
  ]);
  const agent = agentPermissions(parseOptions(AGENT_OPTIONS, ["--node-ip=fd00::2"]));
  deepStrictEqual(agent.net.at(-1), "[fd00::2]");
});

Deno.test("agentPermissions() lets the local API listen for pods on its own port, with a hub and a runtime only", () => {
  const net = (...args: string[]): readonly string[] =>
    agentPermissions(parseOptions(AGENT_OPTIONS, args)).net;
  const wide = (...args: string[]): string[] =>
    net(...args).filter((item) => /^(0\.0\.0\.0|\[::\])/.test(item));
  deepStrictEqual(wide("--hub=h:1", "--api-port=7"), ["0.0.0.0:7", "[::]:7"]);
  deepStrictEqual(wide(), []);
  deepStrictEqual(wide("--hub=h:1", "--cri-socket=none"), []);
});
