import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { type Clock, deadline, patientTimer, sleep, unlessAborted, VirtualClock } from "./clock.ts";
import { type Ms, ms, seconds } from "./units.ts";

Deno.test("VirtualClock.advance() fires timers in order of time, then of creation", async () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  clock.timer(ms(20), () => seen.push("late"));
  clock.timer(ms(10), () => seen.push("first"));
  clock.timer(ms(10), () => seen.push("second"));
  clock.timer(ms(15), () => seen.push("never"))[Symbol.dispose]();
  await clock.advance(ms(19));
  deepStrictEqual(seen, ["first", "second"]);
  await clock.advance(ms(1));
  deepStrictEqual(seen, ["first", "second", "late"]);
  strictEqual(clock.size, 0);
});

Deno.test("VirtualClock.advance() runs what waits on a timer before the next one fires", async () => {
  const clock = new VirtualClock();
  const seen: number[] = [];
  const walker = (async () => {
    for (let step = 0; step < 3; step++) {
      await sleep(clock, ms(10));
      seen.push(clock.monotonic());
    }
  })();
  await clock.advance(ms(100));
  await walker;
  deepStrictEqual(seen, [10, 20, 30]);
});

Deno.test("sleep() rejects with the signal's reason and leaves no timer", async () => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const sleeping = sleep(clock, seconds(1), stop.signal);
  stop.abort(new Error("stop it"));
  await rejects(sleeping, /stop it/);
  strictEqual(clock.size, 0);
  await rejects(sleep(clock, seconds(1), stop.signal), /stop it/);
});

Deno.test("deadline() aborts with its reason when the time has passed", async () => {
  const clock = new VirtualClock();
  using limit = deadline(clock, seconds(1), () => new Error("too slow"));
  await clock.advance(ms(999));
  strictEqual(limit.signal.aborted, false);
  await clock.advance(ms(1));
  strictEqual(limit.signal.reason.message, "too slow");
});

Deno.test("deadline() follows its parent and lets go of its timer when disposed", () => {
  const clock = new VirtualClock();
  const parent = new AbortController();
  {
    using limit = deadline(clock, seconds(1), () => new Error("too slow"), parent.signal);
    parent.abort(new Error("parent"));
    strictEqual(limit.signal.reason.message, "parent");
  }
  strictEqual(clock.size, 0);
});

/** A clock whose timers fire `by` too late. */
function lateClock(clock: VirtualClock, by: () => Ms): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    timer: (delay, fn) => clock.timer(ms(delay + by()), fn),
  };
}

Deno.test("patientTimer() gives up in time, or a second after having been held up", async () => {
  const clock = new VirtualClock();
  let by = ms(400);
  const late = lateClock(clock, () => by);
  const fired: number[] = [];
  const fire = (): number => fired.push(clock.monotonic());
  patientTimer(late, seconds(2), fire);
  await clock.advance(seconds(3));
  deepStrictEqual(fired, [2400]);
  by = seconds(7);
  patientTimer(late, seconds(2), fire);
  using stopped = patientTimer(late, seconds(2), fire);
  by = ms(0);
  await clock.advance(ms(9500));
  deepStrictEqual(fired, [2400]);
  stopped[Symbol.dispose]();
  await clock.advance(seconds(10));
  deepStrictEqual(fired, [2400, 13_000]);
  strictEqual(clock.size, 0);
});

Deno.test("deadline() of a process that was held up lets through what has come meanwhile", async () => {
  const clock = new VirtualClock();
  const late = lateClock(clock, () => seconds(5));
  using limit = deadline(late, seconds(2), () => new Error("no answer"));
  await clock.advance(seconds(7));
  strictEqual(limit.signal.aborted, false);
  await clock.advance(seconds(6));
  strictEqual(limit.signal.aborted, true);
});

Deno.test("VirtualClock.setWall() moves the wall clock alone", async () => {
  const clock = new VirtualClock();
  const start = clock.now();
  const fired: number[] = [];
  clock.timer(seconds(2), () => fired.push(clock.monotonic()));
  clock.setWall((start - seconds(60)) as typeof start);
  await clock.advance(seconds(3));
  deepStrictEqual(fired, [2000]);
  strictEqual(clock.now(), start - seconds(57));
});

Deno.test("unlessAborted() gives what comes first, and the signal that has aborted comes first", async () => {
  const stop = new AbortController();
  strictEqual(await unlessAborted(Promise.resolve(7), stop.signal), 7);
  await rejects(unlessAborted(Promise.reject(new Error("it failed")), stop.signal), /it failed/);
  const never = unlessAborted(new Promise(() => {}), stop.signal);
  stop.abort(new Error("over"));
  await rejects(never, /over/);
  await rejects(unlessAborted(Promise.resolve(7), stop.signal), /over/);
  // Whoever lost may fail unheard.
  await rejects(unlessAborted(Promise.reject(new Error("late")), stop.signal), /over/);
});
