import assert from "node:assert/strict";
import { minutes, type Ms, ms, seconds, VirtualClock } from "../base/mod.ts";
import { exposedCollector, type HeapUse, startTrimming, trimDue } from "./trim.ts";

const MIB = 1024 * 1024;
const use = (total: number): HeapUse => ({ heapTotal: total * MIB, heapUsed: total * MIB });

Deno.test("trimDue() says yes for the first time and after 4 MiB of growth", () => {
  assert.equal(trimDue(undefined, use(1)), true);
  assert.equal(trimDue(use(10), use(13.9)), false);
  assert.equal(trimDue(use(10), use(14)), true);
  assert.equal(trimDue(use(10), use(5)), false);
});

Deno.test("startTrimming() collects 30 s after the start, then once a minute at most, on growth", async () => {
  const clock = new VirtualClock();
  let total = 20;
  let collected = 0;
  {
    using _trimming = startTrimming({
      clock,
      heap: () => use(total),
      collect: () => {
        collected++;
        total = 15;
      },
    });
    await clock.advance(seconds(29));
    assert.equal(collected, 0);
    await clock.advance(seconds(1));
    assert.equal(collected, 1);
    total = 18;
    await clock.advance(minutes(3));
    assert.equal(collected, 1);
    total = 19;
    await clock.advance(minutes(1));
    assert.equal(collected, 2);
    total = 40;
  }
  await clock.advance(minutes(5));
  assert.equal(collected, 2);
  assert.equal(clock.size, 0, "no timer is left");
});

Deno.test("startTrimming() pauses for a thousandth of the time at most", async () => {
  const clock = new VirtualClock();
  let at: Ms = ms(0);
  let total = 100;
  using _trimming = startTrimming({
    clock: {
      now: () => clock.now(),
      monotonic: () => at,
      timer: (delay, fn) => clock.timer(delay, fn),
    },
    heap: () => use(total += 10),
    collect: () => at = ms(at + 300),
  });
  await clock.advance(seconds(30));
  assert.equal(at, 300);
  await clock.advance(seconds(299));
  assert.equal(at, 300);
  await clock.advance(seconds(1));
  assert.equal(at, 600);
});

Deno.test("exposedCollector() frees heap in a process that was started with --expose-gc", async () => {
  assert.equal(exposedCollector(), undefined);
  const file = new URL("./trim.ts", import.meta.url);
  const code = `const { exposedCollector } = await import(${JSON.stringify(file.href)});
    let big = Array.from({ length: 4e5 }, (_, i) => ({ i }));
    const before = Deno.memoryUsage().heapTotal;
    big = undefined;
    exposedCollector()();
    console.log(before - Deno.memoryUsage().heapTotal);`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", "--v8-flags=--expose-gc", code],
    cwd: new URL("../..", import.meta.url),
  }).output();
  const freed = Number(new TextDecoder().decode(stdout));
  assert.ok(freed > 8 * MIB, `freed ${freed}`);
});
