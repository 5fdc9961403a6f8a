import assert from "node:assert/strict";
import { type Ms, ms, seconds, silentLogger, sleep, VirtualClock } from "../../core/base/mod.ts";
import { ServerWatch } from "./server_watch.ts";

/** A server that answers, refuses connections, or is silent for 2 s, and who watches it. */
function rig() {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const changes: [string, Ms][] = [];
  const probes: Ms[] = [];
  let server: "answers" | "refuses" | "silent" = "answers";
  let heard = ms(0);
  const watch = new ServerWatch({
    probe: async (_away, signal) => {
      probes.push(clock.monotonic());
      if (server === "silent") await sleep(clock, seconds(2), signal);
      if (server !== "answers") return false;
      heard = clock.monotonic();
      return true;
    },
    heard: () => heard,
    onChange: (away) => void changes.push([away ? "away" : "back", clock.monotonic()]),
    clock,
    log: silentLogger,
  });
  const running = watch.service().run(stop.signal, () => {});
  return {
    ...{ clock, watch, changes, probes },
    is: (next: typeof server) => void (server = next),
    hears: () => void (heard = clock.monotonic()),
    async [Symbol.asyncDispose]() {
      stop.abort(new Error("over"));
      await running;
      assert.equal(clock.size, 0);
    },
  };
}

Deno.test("ServerWatch asks a server that nobody hears of every 3 s, and one that others hear of never", async () => {
  await using at = rig();
  await at.clock.advance(seconds(31));
  assert.equal(at.probes.length, 10);
  for (let i = 0; i < 10; i++) {
    at.hears();
    await at.clock.advance(seconds(2));
  }
  assert.equal(at.probes.length, 10);
  assert.deepEqual(at.changes, []);
});

Deno.test("ServerWatch notices by itself that a server stands still, and that it goes on", async () => {
  await using at = rig();
  const before = at.watch.phase;
  at.is("silent");
  await at.clock.advance(seconds(8));
  assert.deepEqual(at.changes, [["away", seconds(7.5)]]);
  assert.deepEqual([before.away, before.ends.aborted], [false, true]);
  const during = at.watch.phase;
  assert.deepEqual([during.away, during.ends.aborted], [true, false]);
  await at.clock.advance(seconds(60));
  at.is("answers");
  await at.clock.advance(seconds(2.5));
  assert.equal(at.changes.length, 2);
  assert.deepEqual([at.watch.phase.away, during.ends.aborted], [false, true]);
});

Deno.test("ServerWatch says nothing of a server that starts anew within 3 s", async () => {
  await using at = rig();
  at.is("refuses");
  await at.clock.advance(seconds(5.9));
  at.is("answers");
  await at.clock.advance(seconds(20));
  assert.equal(at.changes.length, 0);
  at.is("refuses");
  await at.clock.advance(seconds(6.5));
  assert.deepEqual(at.changes.map(([change]) => change), ["away"]);
});

Deno.test("answers() asks at once, one question for all who want to know", async () => {
  await using at = rig();
  await at.clock.advance(seconds(1));
  const answers = Promise.all([at.watch.answers(), at.watch.answers()]);
  await at.clock.advance(ms(0));
  assert.deepEqual(await answers, [true, true]);
  assert.equal(at.probes.length, 1);
  at.is("silent");
  const silent = at.watch.answers();
  await at.clock.advance(seconds(1));
  const joined = at.watch.answers();
  await at.clock.advance(seconds(1));
  assert.deepEqual(await Promise.all([silent, joined]), [false, false]);
  assert.equal(at.probes.length, 2);
  assert.deepEqual(at.changes, [], "a short silence is told to those who ask alone");
});
