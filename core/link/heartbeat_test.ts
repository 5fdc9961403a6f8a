import assert from "node:assert/strict";
import { type Clock, ms, seconds, VirtualClock } from "../base/mod.ts";
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

Deno.test("Heartbeat of a process that was held up calls no link dead before it has looked again", async () => {
  const clock = new VirtualClock();
  let held = 0;
  const late: Clock = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    timer: (delay, fn) => clock.timer(ms(delay + held), fn),
  };
  const seen: string[] = [];
  const say = (what: string) => () => seen.push(`${what} ${clock.monotonic()}`);
  const start = () => new Heartbeat(late, seconds(1), { beat: say("beat"), dead: say("dead") });
  held = 20_000;
  const lives = start();
  start();
  held = 0;
  await clock.advance(ms(21_100));
  assert.deepEqual(seen, ["beat 21000", "beat 21000"]);
  // What had come meanwhile is read.
  lives.heard();
  await clock.advance(ms(1000));
  assert.deepEqual(seen.slice(2), ["beat 22000", "dead 22000"]);
  lives.stop();
  assert.equal(clock.size, 0);
});
