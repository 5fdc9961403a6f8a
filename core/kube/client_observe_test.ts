import assert from "node:assert/strict";
import { silentLogger, systemClock } from "../base/mod.ts";
import { serveHttps } from "../http/mod.ts";
import { makePki } from "../http/testing.ts";
import { KubeClient, type SeenRequest } from "./client.ts";

Deno.test("KubeClient tells of every request, and counts the watches that are open", async () => {
  const pki = await makePki();
  const stop = new AbortController();
  let busy = 1;
  const server = await serveHttps({
    hostname: "127.0.0.1",
    port: 0,
    cert: pki.server.certificate,
    key: pki.server.key,
    clientCa: pki.ca.certificate,
    clock: systemClock,
    log: silentLogger,
    signal: stop.signal,
    handler: (request) => {
      const { pathname, searchParams } = new URL(request.url);
      if (searchParams.get("watch")) return Promise.resolve(new Response("{}\n"));
      if (pathname === "/busy" && busy-- > 0) {
        return Promise.resolve(new Response("", { status: 429, headers: { "retry-after": "0" } }));
      }
      return Promise.resolve(Response.json({ pathname }));
    },
  });
  const seen: SeenRequest[] = [];
  using client = new KubeClient({
    endpoint: {
      server: `https://127.0.0.1:${server.port}`,
      ca: pki.ca.certificate,
      credential: pki.admin,
    },
    clock: systemClock,
    random: () => 0,
    observe: (request) => seen.push(request),
  });
  await client.call({ method: "PATCH", path: "/busy", body: {} });
  const watch = new AbortController();
  const query = { watch: true };
  for (let times = 0; times < 2; times++) {
    const body = await client.open({ path: "/pods", query, signal: watch.signal });
    assert.deepEqual(client.load, { calls: 0, waiting: 0, watches: 1 });
    assert.equal(await new Response(body).text(), "{}\n");
    assert.deepEqual(client.load, { calls: 0, waiting: 0, watches: 0 });
  }
  stop.abort(new Error("over"));
  await server.finished;
  await assert.rejects(client.call({ method: "GET", path: "/gone", query: { limit: 1 } }));
  assert.deepEqual(
    seen.map(({ call: { method, query }, status }) => [method, query, status]),
    [
      ["PATCH", {}, 429],
      ["PATCH", {}, 200],
      ["GET", { watch: true }, 200],
      ["GET", { watch: true }, 200],
      ["GET", { limit: 1 }, undefined],
    ],
  );
  assert.ok(seen.every(({ took }) => took >= 0));
});
