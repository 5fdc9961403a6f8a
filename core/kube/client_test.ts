import assert from "node:assert/strict";
import {
  createLogger,
  type ErrorCode,
  errorText,
  failureLevel,
  isAppError,
  ms,
  seconds,
  systemClock,
  VirtualClock,
} from "../base/mod.ts";
import { until } from "../http/testing.ts";
import { KubeClient, type KubeClientOptions } from "./client.ts";
import { FakeApiServer, json, status } from "./testing.ts";

const PATH = "/api/v1/pods";
const THERE = { is: "there" };
const never = new AbortController().signal;

function clientOf(server: FakeApiServer, more: Partial<KubeClientOptions> = {}): KubeClient {
  return new KubeClient({
    endpoint: server.endpoint,
    clock: systemClock,
    random: () => 0,
    ...more,
  });
}

async function rejects(promise: Promise<unknown>, code: ErrorCode, text = /./): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(isAppError(error, code), String(error));
    assert.match(error.message, text);
    return true;
  });
}

Deno.test("call() sends path, query, body, type and whom it is for, and gives the answer", async () => {
  await using server = await FakeApiServer.start(async (request, { peer }) => {
    const { pathname, search } = new URL(request.url);
    const headers = ["content-type", "impersonate-user", "impersonate-group", "accept"];
    return json({
      peer: peer?.commonName,
      seen: `${request.method} ${pathname}${search}`,
      headers: headers.map((name) => request.headers.get(name)),
      body: await request.json(),
    });
  });
  using client = clientOf(server);
  const answer = await client.call({
    method: "PATCH",
    path: "/api/v1/nodes/a%20b",
    query: { limit: 5, watch: false, continue: undefined, labelSelector: "a=b,c in (d)" },
    body: { spec: 1 },
    type: "application/merge-patch+json",
    as: { user: "system:node:x", groups: ["g", "h"] },
  });
  assert.deepEqual(answer, {
    peer: "admin",
    seen: "PATCH /api/v1/nodes/a%20b?limit=5&watch=false&labelSelector=a%3Db%2Cc+in+%28d%29",
    headers: ["application/merge-patch+json", "system:node:x", "g, h", "application/json"],
    body: { spec: 1 },
  });
});

Deno.test("64 calls run at once; those after them wait for their turn, and may give up", async () => {
  let now = 0;
  let most = 0;
  const gate = Promise.withResolvers<void>();
  await using server = await FakeApiServer.start(async () => {
    most = Math.max(most, ++now);
    await gate.promise;
    now--;
    return json({});
  });
  using client = clientOf(server);
  const stop = new AbortController();
  const calls = Array.from({ length: 80 }, () => client.call({ method: "GET", path: PATH }));
  await until("64 are under way", () => now === 64 || undefined);
  const given = client.call({ method: "GET", path: PATH, signal: stop.signal });
  const reason = new Error("enough");
  stop.abort(reason);
  await assert.rejects(given, reason);
  gate.resolve();
  await Promise.all(calls);
  assert.equal(most, 64);
});

Deno.test("an answer 429 is waited out as it asks, and its slot is free meanwhile", async () => {
  const clock = new VirtualClock();
  let asked = 0;
  await using server = await FakeApiServer.start((request) => {
    if (request.url.endsWith("/other")) return Promise.resolve(json({ is: "other" }));
    return Promise.resolve(
      ++asked <= 64 ? status(429, "TooManyRequests", { "retry-after": "4" }) : json(THERE),
    );
  });
  using client = clientOf(server, { clock });
  const busy = Array.from({ length: 64 }, () => client.call({ method: "GET", path: PATH }));
  // Each has one timer for its end and one for its pause.
  await until("all wait", () => clock.size === 128 || undefined);
  assert.deepEqual(await client.call({ method: "GET", path: "/other" }), { is: "other" });
  const before = asked;
  await clock.advance(ms(3999));
  assert.equal(asked, before, "none came too early");
  await clock.advance(ms(1));
  assert.deepEqual(await Promise.all(busy), busy.map(() => THERE));
});

Deno.test("a call that is told to come later five times gives up with what it was told", async () => {
  const clock = new VirtualClock();
  let asked = 0;
  await using server = await FakeApiServer.start(() => {
    asked++;
    return Promise.resolve(status(429, "TooManyRequests", { "retry-after": "1" }));
  });
  using client = clientOf(server, { clock });
  const call = rejects(client.call({ method: "GET", path: PATH }), "TooManyRequests");
  for (let tries = 1; tries < 5; tries++) {
    await until(`try ${tries}`, () => asked === tries || undefined);
    // The pause begins when its answer has been read.
    await until("it waits", async () => {
      await clock.advance(ms(500));
      return asked > tries || undefined;
    });
  }
  await call;
  assert.equal(asked, 5);
});

Deno.test("a 429 that asks for more time than the call has is thrown at once", async () => {
  await using server = await FakeApiServer.start(() =>
    Promise.resolve(status(429, "TooManyRequests", { "retry-after": "60" }))
  );
  using client = clientOf(server, { timeout: seconds(30) });
  await rejects(client.call({ method: "GET", path: PATH }), "TooManyRequests");
});

Deno.test("a call without an answer ends in its time, and the next one has a new connection", async () => {
  const remotes: (string | undefined)[] = [];
  const gate = Promise.withResolvers<void>();
  let frozen = true;
  await using server = await FakeApiServer.start(async (_, { remote }) => {
    remotes.push(remote);
    if (frozen) await gate.promise;
    return json({});
  });
  const timeout = ms(300);
  using client = clientOf(server, { timeout });
  await rejects(
    client.call({ method: "GET", path: PATH }),
    "Timeout",
    /https:\/\/127.*did not answer GET \/api\/v1\/pods in 0.3 s/,
  );
  frozen = false;
  await client.call({ method: "GET", path: PATH });
  gate.resolve();
  assert.equal(remotes.length, 2);
});

Deno.test("probe() tells silence from any answer, past the calls that wait, and finds the way back", async () => {
  const clock = new VirtualClock();
  const gate = Promise.withResolvers<void>();
  const asked: string[] = [];
  let frozen = true;
  let answer = () => status(403, "Forbidden");
  await using server = await FakeApiServer.start(async (request) => {
    asked.push(new URL(request.url).pathname);
    if (frozen) await gate.promise;
    return answer();
  });
  using client = clientOf(server, { clock });
  const stop = new AbortController();
  const calls = Array.from(
    { length: 100 },
    () => client.call({ method: "GET", path: PATH, signal: stop.signal }).catch(() => {}),
  );
  await until("no more can be under way", () => asked.length === 64 || undefined);
  const silent = client.probe("/probe", never);
  await until("it is asked all the same", () => asked.includes("/probe") || undefined);
  await clock.advance(seconds(2));
  assert.equal(await silent, "silent");
  assert.equal(client.heard, ms(0), "nothing was heard yet");
  frozen = false;
  assert.equal(await client.probe("/probe", never), "refused");
  assert.equal(client.heard, seconds(2));
  await clock.advance(seconds(1));
  answer = () => status(503, "ServiceUnavailable");
  assert.equal(await client.probe("/probe", never), "refused");
  assert.equal(client.heard, seconds(2), "it says that it is away");
  answer = () => new Response("ok");
  assert.equal(await client.probe("/probe", never), "ok");
  assert.equal(client.heard, seconds(3));
  const reason = new Error("nobody wants to know");
  await assert.rejects(client.probe("/probe", AbortSignal.abort(reason)), reason);
  stop.abort();
  gate.resolve();
  await Promise.all(calls);
});

Deno.test("open() ends in its time when no answer begins; its body may be quiet for longer", async () => {
  const clock = new VirtualClock();
  const gate = Promise.withResolvers<void>();
  let asked = 0;
  await using server = await FakeApiServer.start(async (request) => {
    asked++;
    if (request.url.endsWith("/frozen")) await gate.promise;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode("first")),
    });
    return new Response(body);
  });
  using client = clientOf(server, { clock });
  const frozen = client.open({ path: "/frozen", signal: never });
  const end = rejects(frozen, "Timeout", /did not answer GET \/frozen in 30 s/);
  await until("it is asked", () => asked > 0 || undefined);
  await clock.advance(seconds(30));
  await end;
  gate.resolve();

  const stop = new AbortController();
  const body = await client.open({ path: PATH, signal: stop.signal });
  const reader = body.getReader();
  await clock.advance(seconds(3600));
  assert.equal(new TextDecoder().decode((await reader.read()).value), "first");
  const reason = new Error("enough");
  stop.abort(reason);
  await assert.rejects(reader.read(), reason);
});

Deno.test("the caller's own end of a call is told as the caller put it", async () => {
  let asked = 0;
  const gate = Promise.withResolvers<void>();
  await using server = await FakeApiServer.start(async () => {
    asked++;
    await gate.promise;
    return json({});
  });
  using client = clientOf(server);
  for (const begin of ["call", "open"] as const) {
    const stop = new AbortController();
    const reason = new Error(`no more ${begin}`);
    const options = { method: "GET", path: PATH, signal: stop.signal } as const;
    const before = asked;
    const end = assert.rejects(client[begin](options), reason);
    await until("it is asked", () => asked > before || undefined);
    stop.abort(reason);
    await end;
    await assert.rejects(client[begin](options), reason);
  }
  gate.resolve();
});

Deno.test("a token is read again once a minute, kept when it cannot be, and at once when refused", async () => {
  const clock = new VirtualClock();
  const file = { text: "one", fails: false };
  let good = "Bearer one";
  await using server = await FakeApiServer.start((request) =>
    Promise.resolve(
      request.headers.get("authorization") === good
        ? json({ is: "in" })
        : status(401, "Unauthorized"),
    )
  );
  const { credential: _, ...endpoint } = server.endpoint;
  const token = (): Promise<string> =>
    file.fails ? Promise.reject(new Deno.errors.NotFound("gone")) : Promise.resolve(file.text);
  using client = clientOf(server, { clock, endpoint: { ...endpoint, token } });
  const call = () => client.call({ method: "GET", path: PATH });
  assert.deepEqual(await call(), { is: "in" });
  file.text = "two";
  assert.deepEqual(await call(), { is: "in" }, "it is used for a minute");
  await clock.advance(seconds(60));
  good = "Bearer two";
  assert.deepEqual(await call(), { is: "in" }, "then it is read again");
  file.fails = true;
  await clock.advance(seconds(60));
  assert.deepEqual(await call(), { is: "in" }, "one that cannot be read is kept");
  [file.text, file.fails, good] = ["three", false, "Bearer three"];
  await clock.advance(seconds(5));
  assert.deepEqual(await call(), { is: "in" }, "and looked for soon");
  [file.text, good] = ["four", "Bearer four"];
  await rejects(call(), "Unauthorized");
  assert.deepEqual(await call(), { is: "in" }, "a refused one is looked for at once");
});

Deno.test("a token that is not there is never NotFound, which would be about an object", async () => {
  await using server = await FakeApiServer.start(() => Promise.resolve(json({ is: "in" })));
  const { credential: _, ...endpoint } = server.endpoint;
  for (
    const token of [
      () => Promise.resolve(""),
      () => Promise.reject(new Deno.errors.NotFound("no file")),
    ]
  ) {
    using client = clientOf(server, { endpoint: { ...endpoint, token } });
    await rejects(
      client.call({ method: "GET", path: PATH }),
      "Unauthorized",
      /the token for https:.* (is empty|cannot be read: no file)/,
    );
  }
});

Deno.test("an empty credential is refused, as the client would be anonymous", () => {
  const server = "https://127.0.0.1:1";
  for (
    const more of [
      {},
      { credential: { certificate: "", key: "k" } },
      { credential: { certificate: "c", key: "" } },
    ]
  ) {
    assert.throws(
      () =>
        new KubeClient({ endpoint: { server, ...more }, clock: systemClock, random: Math.random }),
      (error) => isAppError(error, "Invalid") && /The credential for https/.test(error.message),
    );
  }
});

Deno.test("an answer that is too large is not read to its end", async () => {
  const chunk = new Uint8Array(2 ** 20).fill(32);
  let sent = 0;
  await using server = await FakeApiServer.start(() => {
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent++;
        controller.enqueue(chunk);
        if (sent > 200) controller.close();
      },
    });
    return Promise.resolve(new Response(body));
  });
  using client = clientOf(server);
  await rejects(
    client.call({ method: "GET", path: PATH }),
    "RequestEntityTooLarge",
    /answer to GET \/api\/v1\/pods is over 67108864 bytes/,
  );
  assert.ok(sent < 150, `${sent} MiB were sent`);
});

Deno.test("a redirect is not followed", async () => {
  const seen: string[] = [];
  await using server = await FakeApiServer.start((request) => {
    seen.push(new URL(request.url).pathname);
    return Promise.resolve(new Response(null, { status: 302, headers: { location: "/else" } }));
  });
  using client = clientOf(server);
  await rejects(client.call({ method: "GET", path: PATH }), "ServiceUnavailable", /answered 302/);
  await rejects(client.open({ path: PATH, signal: never }), "ServiceUnavailable", /answered 302/);
  assert.deepEqual(seen, [PATH, PATH]);
});

Deno.test("what a proxy answers in the server's place is no word about an object", async () => {
  await using server = await FakeApiServer.start((request) =>
    Promise.resolve(
      request.url.endsWith("/ok")
        ? new Response("<html>log in</html>")
        : new Response("<html>404</html>", { status: 404 }),
    )
  );
  using client = clientOf(server);
  const call = (path: string) => client.call({ method: "GET", path });
  await rejects(call("/api/v1/pods/x"), "ServiceUnavailable", /answered 404.*proxy/);
  await rejects(call("/ok"), "ServiceUnavailable", /GET \/ok is no JSON.*proxy/);
});

for (const text of ["null", "[]", '"x"', "7", '["\u00e9", "' + "y".repeat(200) + '"]']) {
  Deno.test(`an answer that is JSON and no object is told as what it is: ${text.slice(0, 20)}`, async () => {
    await using server = await FakeApiServer.start(() => Promise.resolve(new Response(text)));
    using client = clientOf(server);
    const call = client.call({ method: "GET", path: PATH });
    await assert.rejects(call, (error) => {
      assert.ok(isAppError(error, "ServiceUnavailable"), String(error));
      const { message } = error;
      assert.ok(
        message.includes(`${client.server} answered GET ${PATH} with ${text.slice(0, 100)}`),
      );
      assert.match(message, /, which is no JSON object/);
      assert.ok(message.length < 300, message);
      return true;
    });
  });
}

Deno.test("a server that is not there or is not the right one is ServiceUnavailable, and says why", async () => {
  await using server = await FakeApiServer.start(() => Promise.resolve(json({})));
  const other = await FakeApiServer.start(() => Promise.resolve(json({})));
  await other[Symbol.asyncDispose]();
  const { endpoint } = server;
  const wrong = [
    [{ ...endpoint, server: other.endpoint.server }, /at https.*cannot be asked.*refused/i],
    [
      { ...endpoint, ca: other.pki.ca.certificate },
      /cannot be asked.*(certificate|UnknownIssuer)/i,
    ],
  ] as const;
  for (const [endpoint, text] of wrong) {
    using client = clientOf(server, { endpoint });
    await rejects(client.call({ method: "GET", path: PATH }), "ServiceUnavailable", text);
    await rejects(client.open({ path: PATH, signal: never }), "ServiceUnavailable", text);
  }
});

Deno.test("a server that is away is told of once for all who ask it, and when it is back", async () => {
  const clock = new VirtualClock();
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({ clock, write: (line) => lines.push(JSON.parse(line)) });
  const said = () => lines.map(({ level, msg }) => `${level} ${msg}`);
  let answer = () => json({});
  await using server = await FakeApiServer.start(() => Promise.resolve(answer()));
  using client = clientOf(server, { clock, log });
  const call = () => client.call({ method: "GET", path: PATH });
  const levelOfFailure = async (): Promise<string> => {
    const error = await call().then(() => undefined, (problem) => problem);
    assert.ok(isAppError(error), errorText(error));
    return failureLevel(error);
  };
  await call();
  answer = () => status(503, "ServiceUnavailable");
  assert.equal(await levelOfFailure(), "warn", "it may be this one call alone");
  assert.equal(await levelOfFailure(), "debug");
  await clock.advance(seconds(2));
  answer = () => status(403, "Forbidden");
  assert.equal(await levelOfFailure(), "warn", "that is an answer");
  assert.deepEqual(said(), [], "it was too short to speak of");

  answer = () => status(503, "ServiceUnavailable");
  for (let i = 0; i < 100; i++) {
    await levelOfFailure();
    await clock.advance(seconds(1));
  }
  const away = "warn the API server is away";
  assert.deepEqual(said(), [away, away]);
  answer = () => json({});
  await call();
  assert.deepEqual(said(), [away, away, "info the API server is back"]);
  assert.deepEqual([lines[2]?.["lasted"], lines[2]?.["tries"]], ["100 s", 100]);
});

Deno.test("a server that fails at what is asked is not away, and nobody else tells of it", async () => {
  const clock = new VirtualClock();
  const lines: string[] = [];
  let answer = () => status(500, "InternalError");
  await using server = await FakeApiServer.start(() => Promise.resolve(answer()));
  using client = clientOf(server, {
    clock,
    log: createLogger({ write: (line) => lines.push(line) }),
  });
  const levels = async (calls: number): Promise<string[]> => {
    const found = [];
    for (let i = 0; i < calls; i++) {
      const error = await client.call({ method: "GET", path: PATH }).catch((problem) => problem);
      found.push(failureLevel(error));
      await clock.advance(seconds(6));
    }
    return found;
  };
  assert.deepEqual(await levels(3), ["warn", "warn", "warn"]);
  assert.deepEqual(lines, []);
  answer = () => new Response("a proxy's page", { status: 500 });
  assert.deepEqual(await levels(2), ["warn", "debug"]);
  assert.match(lines.join(), /the API server is away/);
  answer = () => status(500, "InternalError");
  assert.deepEqual(await levels(1), ["warn"]);
  assert.match(lines.at(-1) ?? "", /the API server is back/);
});

Deno.test("a server that refuses connections is away, and what a caller gives up is not its fault", async () => {
  const clock = new VirtualClock();
  const lines: string[] = [];
  const server = await FakeApiServer.start(() => new Promise(() => {}));
  using client = clientOf(server, {
    clock,
    log: createLogger({ write: (line) => lines.push(line) }),
  });
  const never = client.call({
    method: "GET",
    path: PATH,
    signal: AbortSignal.abort(new Error("not needed")),
  });
  await assert.rejects(never, /not needed/);
  await server[Symbol.asyncDispose]();
  for (let i = 0; i < 2; i++) {
    await rejects(client.call({ method: "GET", path: PATH }), "ServiceUnavailable");
    await clock.advance(seconds(6));
  }
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /the API server is away.*127\.0\.0\.1.*GET/);
});
