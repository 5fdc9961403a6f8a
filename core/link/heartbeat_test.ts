import assert from "node:assert/strict";
import { ms, seconds, VirtualClock } from "../base/mod.ts";
import { Heartbeat } from "./mod.ts";

Deno.test("Heartbeat beats only in silence, and stops", async () => {
  const clock = new VirtualClock();
  let beats = 0;
  const heartbeat = new Heartbeat(clock, seconds(1), { beat: () => beats++, dead: () => {} });
  for (let i = 0; i < 20; i++) {
    await clock.advance(ms(500));
    heartbeat.heard();
    if (i < 10) heartbeat.sent();
  }
  assert.equal(beats, 5);
  heartbeat.stop();
  await clock.advance(seconds(60));
  assert.equal(beats, 5);
  assert.equal(clock.size, 0);
});

Deno.test("Heartbeat calls the link dead exactly three intervals after the last sign of life", async () => {
  const clock = new VirtualClock();
  let deadAt: number | undefined;
  const heartbeat = new Heartbeat(clock, seconds(1), {
    beat: () => {},
    dead: () => deadAt = clock.monotonic(),
  });
  await clock.advance(ms(2900));
  heartbeat.heard();
  await clock.advance(seconds(10));
  assert.equal(deadAt, 5900);
  assert.equal(clock.size, 0);
});

Deno.test("Heartbeat.setInterval() takes over the hub's interval", async () => {
  const clock = new VirtualClock();
  let deadAt: number | undefined;
  const heartbeat = new Heartbeat(clock, seconds(60), {
    beat: () => {},
    dead: () => deadAt = clock.monotonic(),
  });
  heartbeat.setInterval(seconds(1));
  await clock.advance(seconds(10));
  assert.equal(deadAt, 3000);
});
