import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { createLogger, seconds, VirtualClock } from "../base/mod.ts";
import { RefusalLog } from "./refusals.ts";

const why = { code: "Invalid", error: "spec.x: Invalid value" };

function setUp() {
  const clock = new VirtualClock();
  const lines: string[] = [];
  const log = createLogger({ level: "info", write: (line) => lines.push(line) });
  const refusals = new RefusalLog({ clock, log, level: "warn", message: "refused" });
  return { clock, lines, refusals };
}

Deno.test("RefusalLog says of a key that is refused all the time only now and then, until it is applied", async () => {
  const { clock, lines, refusals } = setUp();
  const said: number[] = [];
  for (let at = 0; at < 1800; at += 10) {
    if (refusals.refused("pod-status/1", { ...why, error: `${at}` })) said.push(at);
    await clock.advance(seconds(10));
  }
  deepStrictEqual(said, [0, 60, 660, 1260]);
  strictEqual(lines.length, 4);
  strictEqual(refusals.refused("pod-status/2", why), true, "another pod is news");
  refusals.applied("pod-status/1");
  strictEqual(refusals.refused("pod-status/1", why), true, "and so is one that was well");
});

Deno.test("RefusalLog speaks of all events together, and remembers no more than so many keys", () => {
  const { refusals } = setUp();
  strictEqual(refusals.refused("event/default/a.1", why), true);
  strictEqual(refusals.refused("event/default/b.2", why), false);
  for (let at = 0; at < 512; at++) refusals.refused(`pod-status/${at}`, why);
  strictEqual(refusals.refused("event/default/c.3", why), true);
  strictEqual(refusals.refused("pod-status/511", why), false);
});

Deno.test("RefusalLog is silent about what crossed with a deletion", () => {
  const { lines, refusals } = setUp();
  const gone = { code: "NotFound", error: 'pods "a" not found' };
  strictEqual(refusals.refused("pod-status/1", gone), false);
  const ends = { code: "Forbidden", error: "in namespace x because it is being terminated" };
  strictEqual(refusals.refused("event/x/a.1", ends), false);
  strictEqual(lines.length, 0);
  strictEqual(refusals.refused("event/x/a.1", { ...ends, error: "no right" }), true);
});
