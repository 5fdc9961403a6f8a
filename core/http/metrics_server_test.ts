import assert from "node:assert/strict";
import { Metrics, type Ms, ms, seconds, silentLogger, systemClock } from "../base/mod.ts";
import { metricsService } from "./metrics_server.ts";

/** Runs the service while `body` runs. Whoever comes has longer for a request than it ever takes. */
async function serving(
  body: (port: number) => Promise<void>,
  headTimeout = seconds(60),
): Promise<void> {
  const stop = new AbortController();
  const listening = Promise.withResolvers<number>();
  const service = metricsService({
    port: 0,
    metrics: new Metrics(),
    problems: () => ["service links is starting"],
    clock: systemClock,
    log: silentLogger,
    onListening: listening.resolve,
    headTimeout,
  });
  const running = service.run(stop.signal, () => {});
  try {
    await body(await listening.promise);
  } finally {
    stop.abort();
    await running;
  }
}

/** Runs the service and answers what it answers to a request written byte by byte. */
async function ask(request: string, headTimeout?: Ms): Promise<string> {
  let answer = "";
  await serving(async (port) => {
    const connection = await Deno.connect({ port });
    await connection.write(new TextEncoder().encode(request));
    answer = await new Response(connection.readable).text();
  }, headTimeout);
  return answer;
}

const CLOSE = "Connection: close\r\n\r\n";

Deno.test("metricsService() answers metrics and health", async () => {
  assert.match(await ask(`GET /metrics HTTP/1.1\r\nHost: a\r\n${CLOSE}`), /^HTTP\/1.1 200 /);
  assert.match(await ask(`GET /livez HTTP/1.1\r\nHost: a\r\n${CLOSE}`), /\r\nok\n/);
  assert.match(
    await ask(`GET /readyz HTTP/1.1\r\nHost: a\r\n${CLOSE}`),
    /^HTTP\/1.1 503 [\s\S]*links is starting/,
  );
  assert.match(await ask(`POST /metrics HTTP/1.1\r\nHost: a\r\n${CLOSE}`), /^HTTP\/1.1 405 /);
});

Deno.test.each(["a b", "[", "%", "a:99999", "a/b?c", ""])(
  "metricsService() never answers 500 to the Host header %j",
  async (host) => {
    const answer = await ask(`GET /livez HTTP/1.1\r\nHost: ${host}\r\n${CLOSE}`);
    assert.match(answer, /^HTTP\/1.1 (200|400) /);
  },
);

Deno.test("metricsService() cuts a client that does not finish its request", async () => {
  const answer = await ask("GET /livez HTTP/1.1\r\n", ms(200));
  assert.match(answer, /^HTTP\/1.1 408 |^$/);
});

Deno.test("metricsService() takes 64 connections at once, and others again when those end", async () => {
  await serving(async (port) => {
    const held: Deno.Conn[] = [];
    const read = async (connection: Deno.Conn): Promise<string> => {
      await connection.write(new TextEncoder().encode("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"));
      const buffer = new Uint8Array(1024);
      const size = await connection.read(buffer).catch(() => null);
      return new TextDecoder().decode(buffer.subarray(0, size ?? 0));
    };
    for (let count = 0; count < 64; count++) {
      const connection = await Deno.connect({ port });
      held.push(connection);
      assert.match(await read(connection), /^HTTP\/1.1 200 /);
    }
    const late = await Deno.connect({ port });
    assert.equal(await read(late).catch(() => ""), "");
    late.close();
    for (const connection of held) connection.close();
    for (let answer = ""; answer === "";) {
      using again = await Deno.connect({ port });
      answer = await read(again).catch(() => "");
    }
  });
});
