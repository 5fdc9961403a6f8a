import assert from "node:assert/strict";
import { isAppError, seconds, systemClock, VirtualClock } from "../base/mod.ts";
import { until } from "../http/testing.ts";
import { Forwarder } from "./forward.ts";
import { countedWay, FakeApiServer, json } from "./testing.ts";

const NEVER = new AbortController().signal;

function forwarderTo({ endpoint: { ca } }: FakeApiServer, clock = systemClock): Forwarder {
  return new Forwarder({ what: "the API server", tls: { ca }, clock });
}

Deno.test("Forwarder passes on what is the sender's, and nothing of this process", async () => {
  const seen: { method: string; headers: Record<string, string>; body: string; peer: boolean }[] =
    [];
  await using server = await FakeApiServer.start(async (request, info) => {
    const { method } = request;
    const headers = Object.fromEntries(request.headers);
    seen.push({ method, headers, body: await request.text(), peer: info.peer !== undefined });
    return json({ kind: "Status" }, 409, { "retry-after": "7", "set-cookie": "a=b", "x-own": "1" });
  });
  using forwarder = forwarderTo(server);
  const request = new Request("https://localhost/ignored", {
    method: "POST",
    body: "{}",
    headers: {
      "authorization": "Bearer pod",
      "content-type": "application/json",
      "impersonate-user": "root",
      "x-remote-user": "root",
      "x-forwarded-for": "1.2.3.4",
      "cookie": "a=b",
    },
  });
  const response = await forwarder.send(request, `${server.endpoint.server}/api`, NEVER);
  assert.equal(response.status, 409);
  assert.equal((await response.json()).kind, "Status");
  assert.equal(response.headers.get("retry-after"), "7");
  assert.equal(response.headers.get("set-cookie"), null);
  assert.equal(response.headers.get("x-own"), null);
  const [one] = seen;
  assert.equal(one?.body, "{}");
  assert.equal(one?.peer, false);
  assert.equal(one?.headers["authorization"], "Bearer pod");
  for (const name of Object.keys(one?.headers ?? {})) {
    assert.doesNotMatch(name, /^(impersonate|x-|cookie)/);
  }
});

Deno.test("Forwarder streams both ways, and its signal ends an answer that goes on", async () => {
  let gone = false;
  await using server = await FakeApiServer.start((_request, { signal }) => {
    signal.addEventListener("abort", () => gone = true);
    return Promise.resolve(
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode("first\n")),
        }),
        { headers: { "content-type": "application/json" } },
      ),
    );
  });
  using forwarder = forwarderTo(server);
  const stop = new AbortController();
  const request = new Request("https://localhost/watch");
  const response = await forwarder.send(request, server.endpoint.server, stop.signal);
  const reader = response.body?.getReader();
  assert.equal(new TextDecoder().decode((await reader?.read())?.value), "first\n");
  const next = assert.rejects(async () => await reader?.read(), /enough/);
  stop.abort(new Error("enough"));
  await next;
  await until("the server knows", () => gone || undefined);
});

Deno.test("Forwarder lets no large body through, by what is declared and by what comes", async () => {
  await using server = await FakeApiServer.start(async (request) =>
    json({ size: (await request.arrayBuffer().catch(() => undefined))?.byteLength ?? -1 })
  );
  using forwarder = forwarderTo(server);
  const tooLarge = (error: unknown) => isAppError(error, "RequestEntityTooLarge");
  const send = (body: BodyInit, headers: HeadersInit = {}) =>
    forwarder.send(
      new Request("https://localhost/", { method: "POST", body, headers }),
      server.endpoint.server,
      NEVER,
    );
  const most = 3 * 2 ** 20;
  assert.deepEqual(await (await send(new Uint8Array(most))).json(), { size: most });
  await assert.rejects(send("x", { "content-length": String(most + 1) }), tooLarge);
  await assert.rejects(send(new Uint8Array(most + 1)), tooLarge);
});

Deno.test("Forwarder says when nobody answers, and lets a read be tried again", async () => {
  const clock = new VirtualClock();
  await using server = await FakeApiServer.start(() => new Promise(() => {}));
  using forwarder = forwarderTo(server, clock);
  const slow = forwarder.send(
    new Request("https://localhost/"),
    server.endpoint.server,
    NEVER,
  );
  const late = assert.rejects(slow, (error) => isAppError(error, "Timeout"));
  await clock.advance(seconds(66));
  await late;
  // Nobody listens at port 2. No connection came about: what changes something is as good as not asked.
  for (const method of ["GET", "DELETE"]) {
    await assert.rejects(
      forwarder.send(new Request("https://localhost/", { method }), "https://127.0.0.1:2/", NEVER),
      (error) =>
        isAppError(error, "ServiceUnavailable") && error.retryAfterSeconds === 1 &&
        error.message.startsWith("the API server cannot be asked now: "),
    );
  }
});

Deno.test("Forwarder lets nobody repeat by itself what may have been done", async () => {
  const asked = Promise.withResolvers<void>();
  const server = await FakeApiServer.start(() => {
    asked.resolve();
    return new Promise(() => {});
  });
  using forwarder = forwarderTo(server);
  const request = new Request("https://localhost/", { method: "DELETE" });
  const broken = assert.rejects(
    forwarder.send(request, server.endpoint.server, NEVER),
    (error) =>
      isAppError(error, "ServiceUnavailable") && error.retryAfterSeconds === undefined &&
      /may have been done/.test(error.message),
  );
  await asked.promise;
  await server[Symbol.asyncDispose]();
  await broken;
});

Deno.test("renew() leaves connections behind, and what goes on over them goes on", async () => {
  const next = Promise.withResolvers<void>();
  const line = (text: string): Uint8Array => new TextEncoder().encode(text);
  await using server = await FakeApiServer.start((request) => {
    if (!request.url.endsWith("/watch")) return Promise.resolve(json({}));
    return Promise.resolve(
      new Response(
        new ReadableStream<Uint8Array>({
          start: (controller) => controller.enqueue(line("first\n")),
          async pull(controller) {
            await next.promise;
            controller.enqueue(line("second\n"));
            controller.close();
          },
        }, { highWaterMark: 0 }),
      ),
    );
  });
  await using way = await countedWay(server);
  using forwarder = forwarderTo(server);
  const send = (path: string): Promise<Response> =>
    forwarder.send(
      new Request("https://localhost/"),
      `https://127.0.0.1:${way.port}${path}`,
      NEVER,
    );
  const watch = await send("/watch");
  for (let i = 0; i < 2; i++) await (await send("/")).text();
  assert.equal(way.count(), 2);
  forwarder.renew();
  await (await send("/")).text();
  assert.equal(way.count(), 3);
  next.resolve();
  assert.equal(await watch.text(), "first\nsecond\n");
});
