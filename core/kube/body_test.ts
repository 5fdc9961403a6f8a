import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { systemClock } from "../base/mod.ts";
import { until } from "../http/testing.ts";
import { heeding } from "./body.ts";
import { KubeClient } from "./client.ts";
import { FakeApiServer } from "./testing.ts";

const chunk = new TextEncoder().encode("x");

function source(): {
  body: ReadableStream<Uint8Array>;
  controller: ReadableStreamDefaultController<Uint8Array>;
  cancelled: unknown[];
} {
  const cancelled: unknown[] = [];
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({
    start: (one) => void (controller = one),
    cancel: (reason) => void cancelled.push(reason),
  });
  return { body, controller, cancelled };
}

Deno.test("heeding() gives the same bytes and ends as the body does", async () => {
  const { signal } = new AbortController();
  const [good, bad] = [source(), source()];
  good.controller.enqueue(chunk);
  good.controller.enqueue(chunk);
  good.controller.close();
  assert.equal((await Array.fromAsync(heeding(good.body, signal))).length, 2);
  bad.controller.error(new TypeError("broken"));
  await assert.rejects(Array.fromAsync(heeding(bad.body, signal)), /broken/);
});

Deno.test("heeding() ends with the signal's reason, also for one who waits, and cancels the body", async () => {
  const reason = new Error("enough");
  for (const late of [true, false]) {
    const stop = new AbortController();
    const { body, cancelled } = source();
    if (!late) stop.abort(reason);
    const reader = heeding(body, stop.signal).getReader();
    const end = assert.rejects(reader.read(), reason);
    if (late) stop.abort(reason);
    await end;
    assert.deepEqual(cancelled, [reason]);
  }
});

Deno.test("heeding() leaves no listener behind, however the body ends", async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const [add, remove] = [signal.addEventListener, signal.removeEventListener];
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove.apply(signal, args);
  };
  const [good, bad, left] = [source(), source(), source()];
  good.controller.close();
  bad.controller.error(new Error("broken"));
  await Array.fromAsync(heeding(good.body, signal));
  await Array.fromAsync(heeding(bad.body, signal)).catch(() => {});
  await heeding(left.body, signal).cancel();
  assert.equal(listeners, 0);
});

Deno.test("heeding() cancels the body when its reader does", async () => {
  const { body, cancelled } = source();
  const reader = heeding(body, new AbortController().signal).getReader();
  await reader.cancel("no more");
  assert.deepEqual(cancelled, ["no more"]);
});

Deno.test("an open call ends with its signal also when garbage has been collected meanwhile", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  await using server = await FakeApiServer.start(() =>
    Promise.resolve(
      new Response(new ReadableStream({ start: (controller) => controller.enqueue(chunk) })),
    )
  );
  const { endpoint } = server;
  using client = new KubeClient({ endpoint, clock: systemClock, random: Math.random });
  const stop = new AbortController();
  const reader = (await client.open({ path: "/", signal: stop.signal })).getReader();
  await reader.read();
  let ended: unknown;
  reader.read().catch((error) => ended = error);
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const reason = new Error("enough");
  stop.abort(reason);
  await until("the reader is told", () => ended);
  assert.equal(ended, reason);
});
