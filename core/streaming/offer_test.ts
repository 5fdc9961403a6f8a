import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { isAppError } from "../base/mod.ts";
import { planUpgrade } from "./offer.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

function plan(kind: "remote-command" | "port-forward", headers: Record<string, string>) {
  return planUpgrade(new Headers(headers), kind);
}

const webSocket = (protocols: string): Record<string, string> => ({
  upgrade: "websocket",
  "sec-websocket-key": KEY,
  "sec-websocket-version": "13",
  "sec-websocket-protocol": protocols,
});

Deno.test("planUpgrade() pipes SPDY as it is, with the client's own protocols", async () => {
  const versions = "v5.channel.k8s.io, v4.channel.k8s.io,channel.k8s.io";
  const found = plan("remote-command", {
    upgrade: "SPDY/3.1",
    "x-stream-protocol-version": versions,
  });
  strictEqual(found.carrying, "raw");
  deepStrictEqual(found.offer, {
    upgrade: "SPDY/3.1",
    protocols: ["v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io"],
  });
  deepStrictEqual(await found.answer("v4.channel.k8s.io"), {
    upgrade: "SPDY/3.1",
    "x-stream-protocol-version": "v4.channel.k8s.io",
  });
  deepStrictEqual(await found.answer(""), { upgrade: "SPDY/3.1" });
});

Deno.test("planUpgrade() translates what runtimes do not speak, and pipes older WebSockets", async () => {
  const exec = plan("remote-command", webSocket("v4.channel.k8s.io, v5.channel.k8s.io"));
  deepStrictEqual([exec.carrying, exec.offer], [
    "remote-command",
    { upgrade: "SPDY/3.1", protocols: ["v4.channel.k8s.io"] },
  ]);
  deepStrictEqual(await exec.answer("v4.channel.k8s.io"), {
    upgrade: "websocket",
    // The example of RFC 6455, 1.3.
    "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    "sec-websocket-protocol": "v5.channel.k8s.io",
  });
  const forward = plan("port-forward", webSocket("SPDY/3.1+portforward.k8s.io"));
  deepStrictEqual([forward.carrying, forward.offer], [
    "unwrap",
    { upgrade: "SPDY/3.1", protocols: ["portforward.k8s.io"] },
  ]);
  const answer = await forward.answer("portforward.k8s.io");
  strictEqual(answer["sec-websocket-protocol"], "SPDY/3.1+portforward.k8s.io");
  for (const kind of ["remote-command", "port-forward"] as const) {
    const old = plan(kind, webSocket("v4.channel.k8s.io"));
    deepStrictEqual([old.carrying, old.offer], [
      "raw",
      { upgrade: "websocket", protocols: ["v4.channel.k8s.io"] },
    ]);
  }
});

Deno.test("planUpgrade() refuses what is no upgrade that it knows", () => {
  const cases: Record<string, string>[] = [
    {},
    { upgrade: "h2c" },
    { upgrade: "websocket" },
    { ...webSocket("v5.channel.k8s.io"), "sec-websocket-version": "8" },
    { ...webSocket("v5.channel.k8s.io"), "sec-websocket-key": "short" },
    webSocket("a b"),
    webSocket(Array.from({ length: 17 }, (_, at) => `p${at}`).join(",")),
    { upgrade: "SPDY/3.1", "x-stream-protocol-version": "x".repeat(65) },
  ];
  for (const headers of cases) {
    throws(
      () => plan("remote-command", headers),
      (error) => isAppError(error, "BadRequest"),
      JSON.stringify(headers),
    );
  }
});
