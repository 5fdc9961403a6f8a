import assert from "node:assert/strict";
import { Metrics } from "../base/mod.ts";
import { metricsService } from "./metrics_server.ts";

/** Runs the service and answers what it answers to a request written byte by byte. */
async function ask(request: string): Promise<string> {
  const stop = new AbortController();
  const listening = Promise.withResolvers<number>();
  const service = metricsService({
    port: 0,
    metrics: new Metrics(),
    problems: () => ["service links is starting"],
    onListening: listening.resolve,
  });
  const running = service.run(stop.signal, () => {});
  try {
    const connection = await Deno.connect({ port: await listening.promise });
    await connection.write(new TextEncoder().encode(request));
    return await new Response(connection.readable).text();
  } finally {
    stop.abort();
    await running;
  }
}

const CLOSE = "Connection: close\r\n\r\n";

Deno.test("metricsService() answers metrics and health", async () => {
  assert.match(await ask(`GET /metrics HTTP/1.1\r\nHost: a\r\n${CLOSE}`), /^HTTP\/1.1 200 /);
  assert.match(await ask(`GET /livez HTTP/1.1\r\nHost: a\r\n${CLOSE}`), /\r\n\r\nok\n$/);
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
    assert.match(answer, /^HTTP\/1.1 (200|400|404) /);
    if (host === "[") assert.match(answer, /^HTTP\/1.1 400 [\s\S]*the Host header/);
  },
);
