import { strictEqual, throws } from "node:assert/strict";
import { splitHub } from "./hub_ca.ts";
import { parseToken } from "./token.ts";

Deno.test("parseToken() reads the CA's hash and refuses anything else", () => {
  const hash = "a".repeat(64);
  strictEqual(parseToken(` skerry1.${hash}.id1.secret\n`).caHash, hash);
  for (
    const text of ["", "skerry1", `skerry2.${hash}.i.s`, `skerry1.${hash}.i`, `skerry1.XYZ.i.s`]
  ) {
    throws(() => parseToken(text), /no join token/);
  }
});

Deno.test("splitHub() reads HOST:PORT with names, IPv4 and IPv6", () => {
  strictEqual(splitHub("hub.example:10000").hostname, "hub.example");
  strictEqual(splitHub("[::1]:1").hostname, "::1");
  strictEqual(splitHub("10.0.0.1:65535").port, 65535);
  for (const text of ["", "hub", "hub:0", "hub:65536", "a b:1", "::1:10", "https://x:1"]) {
    throws(() => splitHub(text), /HOST:PORT/);
  }
});
