import assert from "node:assert/strict";
import {
  AppError,
  createLogger,
  type Ms,
  ms,
  seconds,
  seededRandom,
  sleep,
  VirtualClock,
} from "../../core/base/mod.ts";
import { WriteGate } from "./write_gate.ts";

const NEVER = new AbortController().signal;
const refused = () =>
  new AppError("ServiceUnavailable", "cannot be asked", { cause: new TypeError("refused") });
const late = () => new AppError("Timeout", "no answer in 30 s");

/** A server that can be away: it refuses connections, or stands still and answers when it goes on. */
function rig() {
  const clock = new VirtualClock();
  let state: "up" | "away" | "still" = "away";
  let change = Promise.withResolvers<void>();
  let tries = 0;
  let probes = 0;
  /** Whether there is an answer within `limit`. */
  const answer = async (limit: Ms, fail: () => AppError, signal: AbortSignal): Promise<void> => {
    if (state === "away") throw refused();
    const stop = new AbortController();
    const time = sleep(clock, limit, stop.signal).then(() => {
      throw fail();
    });
    try {
      while (state === "still") await Promise.race([change.promise, time]);
      signal.throwIfAborted();
    } finally {
      stop.abort();
      time.catch(() => {});
    }
  };
  const said: string[] = [];
  const log = createLogger({ clock, write: (line) => said.push(JSON.parse(line).msg) });
  const gate = new WriteGate({
    ...{ clock, random: seededRandom(1), log },
    probe: (signal) => {
      probes++;
      return answer(seconds(2), late, signal).then(() => true, () => {
        signal.throwIfAborted();
        return false;
      });
    },
  });
  const done: string[] = [];
  const write = (name: string, signal: AbortSignal = NEVER): Promise<unknown> =>
    gate.run(async () => {
      tries++;
      await answer(seconds(30), late, NEVER);
      done.push(name);
    }, signal);
  return {
    ...{ clock, gate, done, write, said },
    tries: () => tries,
    probes: () => probes,
    turn: (next: typeof state): void => {
      state = next;
      change.resolve();
      change = Promise.withResolvers();
    },
  };
}

Deno.test("run() has one ask for all while nothing is reached, and all write when it is back", async () => {
  const { clock, done, write, tries, probes, turn } = rig();
  const writes = Array.from({ length: 100 }, (_, i) => write(`w${i}`));
  await clock.advance(seconds(60));
  assert.equal(tries(), 100, "each once, before it was known");
  assert.ok(probes() > 50 && probes() < 200, `${probes()} probes`);
  turn("up");
  await clock.advance(seconds(1));
  await Promise.all(writes);
  assert.equal(done.length, 100);
  await write("later");
});

Deno.test("run() keeps what a server that stands still does not answer, until it goes on", async () => {
  const { clock, done, write, tries, turn } = rig();
  turn("still");
  const writes = [write("a"), write("b")];
  await clock.advance(seconds(20));
  writes.push(write("c"));
  await clock.advance(seconds(50));
  writes.push(write("d"));
  await clock.advance(seconds(50));
  assert.deepEqual(done, []);
  assert.equal(tries(), 3, "no write is tried where a small request has no answer");
  turn("up");
  await clock.advance(seconds(1));
  await Promise.all(writes);
  assert.deepEqual(done.sort(), ["a", "b", "c", "d"]);
});

Deno.test("run() hands the asking on when the one that does it gives up", async () => {
  const { clock, done, write, turn, said } = rig();
  const stop = new AbortController();
  const first = write("first", stop.signal);
  const second = write("second");
  await clock.advance(seconds(20));
  const reason = new Error("its session is over");
  stop.abort(reason);
  await assert.rejects(first, reason);
  turn("up");
  await clock.advance(seconds(1));
  await second;
  assert.deepEqual(done, ["second"]);
  assert.deepEqual(said, [
    "the API server gives no answer: what nodes report waits",
    "the API server answers: what nodes report is written",
  ]);
});

Deno.test("run() passes on what is about the one write, and lets no other wait for it", async () => {
  const { clock, gate, done, write, turn } = rig();
  turn("up");
  const conflict = new AppError("Conflict", "somebody was faster");
  await assert.rejects(gate.run(() => Promise.reject(conflict), NEVER), conflict);
  const slow = late();
  await assert.rejects(gate.run(() => Promise.reject(slow), NEVER), slow);
  let tries = 0;
  const broken = gate.run(() => Promise.reject((tries++, refused())), NEVER);
  const ended = assert.rejects(broken, /cannot be asked/);
  await clock.advance(ms(10));
  await write("another");
  await clock.advance(seconds(10));
  await ended;
  assert.equal(tries, 5);
  assert.deepEqual(done, ["another"]);
});
