import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import {
  AppError,
  createLogger,
  minutes,
  seconds,
  seededRandom,
  silentLogger,
  VirtualClock,
} from "../../core/base/mod.ts";
import type { Connection } from "../../core/link/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { createLink } from "./link.ts";

/**
 * Runs a link over a cut line, where a dial is answered by nothing, and counts the dials; when
 * `reached`, the hub's machine takes each.
 */
async function dialsInTheDark(span: number, seed: number, reached = false): Promise<number> {
  const clock = new VirtualClock();
  using store = openSqliteStore({ path: ":memory:", clock });
  const stop = new AbortController();
  let dials = 0;
  const link = createLink({
    dialer: {
      dial: (_path, signal, onReached) => {
        dials++;
        if (reached) onReached?.();
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

Deno.test("createLink() waits 20 s for a hub that was reached: it may have many to answer", async () => {
  strictEqual(await dialsInTheDark(19.9, 7, true), 1);
  ok(await dialsInTheDark(60, 7, true) > 1);
});

Deno.test("createLink() dials soon again while the line has been cut for a short time only", async () => {
  const dials = await dialsInTheDark(20, 7);
  ok(dials >= 3, `${dials} dials in 20 s`);
});

Deno.test("createLink() says that the hub is away now and then, and what to do when it is shut out", async () => {
  const clock = new VirtualClock();
  using store = openSqliteStore({ path: ":memory:", clock });
  const lines: Record<string, unknown>[] = [];
  const stop = new AbortController();
  let refusal = new AppError("ServiceUnavailable", "connection refused");
  const link = createLink({
    dialer: { dial: () => Promise.reject(refusal) },
    store,
    clock,
    random: seededRandom(1),
    log: createLogger({ clock, write: (line) => lines.push(JSON.parse(line)) }),
    node: "n1",
    joinAgain: (reason) => `join again as ${reason}`,
    version: "1",
    bootId: "b",
  });
  const running = link.run(stop.signal, () => {});
  await clock.advance(minutes(25));
  const messages = () => lines.map(({ level, msg }) => [level, msg]);
  const down = ["info", "link is down"];
  deepStrictEqual(messages(), [down, down, down, down]);
  ok(Number(lines.at(-1)?.["tries"]) > 50, "it was tried all the time");

  refusal = new AppError("Forbidden", "the node was deleted");
  await clock.advance(minutes(3));
  const shutOut = ["warn", "the hub has shut this node out"];
  deepStrictEqual(messages().slice(4), [shutOut, shutOut]);
  strictEqual(lines.at(-1)?.["advice"], "join again as the node was deleted");
  strictEqual(link.state.shutOut, true);
  stop.abort(new Error("over"));
  await running;
});
