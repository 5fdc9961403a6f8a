import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { VirtualClock } from "./clock.ts";
import { WorkQueue } from "./queue.ts";
import { ms, seconds } from "./units.ts";

function queue(clock = new VirtualClock()): WorkQueue {
  return new WorkQueue({
    clock,
    random: () => 0.5,
    backoff: { base: ms(100), cap: seconds(10) },
  });
}

Deno.test("WorkQueue gives a key once however often it was added", async () => {
  const work = queue();
  work.add("a");
  work.add("a");
  work.add("b");
  deepStrictEqual([await work.next(), await work.next()], ["a", "b"]);
  strictEqual(work.size, 0);
});

Deno.test("WorkQueue brings back a key that was added while it was worked on", async () => {
  const work = queue();
  work.add("a");
  strictEqual(await work.next(), "a");
  work.add("a");
  strictEqual(work.size, 0, "no two workers on one key");
  work.done("a");
  strictEqual(await work.next(), "a");
});

Deno.test("WorkQueue.restart() takes what was added so far as seen, and no more than that", async () => {
  const work = queue();
  work.add("a");
  work.restart("a");
  strictEqual(await work.next(), "a", "one that waits stays");
  work.add("a");
  work.restart("a");
  work.done("a");
  strictEqual(work.size, 0);
  work.add("a");
  await work.next();
  work.restart("a");
  work.add("a");
  work.done("a");
  strictEqual(work.size, 1);
});

Deno.test("WorkQueue.addAfter() keeps the earlier due time of a key", async () => {
  const clock = new VirtualClock();
  const work = queue(clock);
  work.addAfter("a", seconds(5));
  work.addAfter("a", seconds(1));
  work.addAfter("a", seconds(9));
  await clock.advance(seconds(1));
  strictEqual(work.size, 1);
  strictEqual(clock.size, 0);
});

Deno.test("WorkQueue.run() retries a failed key with back-off and forgets failures at success", async () => {
  const clock = new VirtualClock();
  const work = queue(clock);
  const stop = new AbortController();
  const tries: number[] = [];
  const errors: unknown[] = [];
  const running = work.run((key) => {
    tries.push(clock.monotonic());
    return tries.length < 4 ? Promise.reject(new Error(key)) : Promise.resolve();
  }, { workers: 2, signal: stop.signal, onError: (_key, error) => errors.push(error) });
  work.add("a");
  await clock.advance(seconds(2));
  deepStrictEqual(tries, [0, 50, 150, 350]);
  strictEqual(errors.length, 3);
  strictEqual(work.failures("a"), 0);
  stop.abort();
  await running;
});

Deno.test("WorkQueue.run() ends when its signal aborts, also while it waits", async () => {
  const clock = new VirtualClock();
  const work = queue(clock);
  const stop = new AbortController();
  const running = work.run(() => Promise.resolve(), {
    workers: 3,
    signal: stop.signal,
    onError: () => {},
  });
  work.addAfter("later", seconds(60));
  stop.abort();
  await running;
  strictEqual(clock.size, 0);
});
