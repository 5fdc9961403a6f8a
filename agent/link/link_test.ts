import { ok, strictEqual } from "node:assert/strict";
import { seconds, seededRandom, silentLogger, VirtualClock } from "../../core/base/mod.ts";
import type { Connection } from "../../core/link/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { createLink } from "./link.ts";

/** Runs a link over a cut line, where a dial is answered by nothing, and counts the dials. */
async function dialsInTheDark(span: number, seed: number): Promise<number> {
  const clock = new VirtualClock();
  using store = openSqliteStore({ path: ":memory:", clock });
  const stop = new AbortController();
  let dials = 0;
  const link = createLink({
    dialer: {
      dial: (_path, signal) => {
        dials++;
        return new Promise<Connection>((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        });
      },
    },
    store,
    clock,
    random: seededRandom(seed),
    log: silentLogger,
    node: "n1",
    version: "1",
    bootId: "b",
  });
  const running = link.run(stop.signal, () => {});
  await clock.advance(seconds(span));
  strictEqual(link.state.connected, false);
  stop.abort(new Error("over"));
  await running;
  return dials;
}

Deno.test("createLink() gives a lost dial up after 4 s and waits up to 15 s before the next", async () => {
  for (const seed of [1, 2, 3]) {
    const dials = await dialsInTheDark(600, seed);
    // A cycle is 4 s of dialling and 0 to 15 s of waiting: 52 in the mean.
    ok(dials > 38 && dials < 75, `${dials} dials in ten minutes`);
  }
});

Deno.test("createLink() dials soon again while the line has been cut for a short time only", async () => {
  const dials = await dialsInTheDark(20, 7);
  ok(dials >= 3, `${dials} dials in 20 s`);
});
