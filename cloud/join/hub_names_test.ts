import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { silentLogger, VirtualClock } from "../../core/base/mod.ts";
import { type Credential, readCertificate } from "../../core/pki/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { ensureCa } from "../../core/tokens/mod.ts";
import { hostOf, HubNames, MAX_NAMES } from "./hub_names.ts";
import { Serving } from "./serving.ts";

Deno.test("hostOf() takes what a certificate can name, without its port", () => {
  const cases: [string | null, string | undefined][] = [
    ["Hub.Example.org:10000", "hub.example.org"],
    ["203.0.113.7:1", "203.0.113.7"],
    ["[2001:DB8::1]:10000", "2001:db8::1"],
    ["hub.", "hub"],
    [null, undefined],
    ["", undefined],
    ["a b", undefined],
    ["*.example.org", undefined],
    ["-x.org", undefined],
    [`${"a".repeat(64)}.org`, undefined],
  ];
  for (const [header, host] of cases) strictEqual(hostOf(header), host, `${header}`);
});

Deno.test("HubNames.add() remembers a name once, for the next hub as well, up to a cap", async () => {
  using store = openSqliteStore({ path: ":memory:", clock: new VirtualClock() });
  const names = new HubNames(store);
  await names.load();
  strictEqual(await names.add("203.0.113.7"), true);
  strictEqual(await names.add("203.0.113.7"), false);
  strictEqual(await names.add("hub.example.org"), true);
  const next = new HubNames(store);
  await next.load();
  deepStrictEqual(next.all, ["203.0.113.7", "hub.example.org"]);
  for (let at = 0; at < 2 * MAX_NAMES; at++) await next.add(`n${at}.example.org`);
  strictEqual(next.all.length, MAX_NAMES);
});

Deno.test("Serving.refresh() makes a new certificate when a name came, and only then", async () => {
  const clock = new VirtualClock();
  using store = openSqliteStore({ path: ":memory:", clock });
  const names = ["first.example.org"];
  const installed: Credential[] = [];
  const serving = await Serving.create({
    reload: () => Promise.resolve(),
    ca: await ensureCa({ store, clock }),
    clock,
    log: silentLogger,
    names: () => names,
    install: (credential) => installed.push(credential),
  });
  await serving.refresh();
  strictEqual(installed.length, 0);
  names.push("203.0.113.7");
  await serving.refresh();
  await serving.refresh();
  strictEqual(installed.length, 1);
  const { altNames } = readCertificate(installed[0]?.certificate ?? "");
  strictEqual(altNames.includes("IP:203.0.113.7"), true);
  strictEqual(altNames.includes("DNS:first.example.org"), true);
  strictEqual(serving.current, installed[0]);
});
