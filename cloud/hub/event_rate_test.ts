import assert from "node:assert/strict";
import { minutes, type Ms, ms } from "../../core/base/mod.ts";
import { EventRate } from "./event_rate.ts";

function takeAll(rate: EventRate, node: string, now: Ms): number {
  let taken = 0;
  while (taken < 10_000 && rate.take(node, now)) taken++;
  return taken;
}

Deno.test("EventRate lets a node make so many events at once, then so many an hour", () => {
  const rate = new EventRate();
  assert.equal(takeAll(rate, "a", ms(0)), 1100);
  assert.equal(takeAll(rate, "b", ms(0)), 1100, "another node has its own");
  assert.equal(takeAll(rate, "a", minutes(6)), 100);
  assert.equal(takeAll(rate, "a", minutes(60 * 24)), 1100, "it does not fill for ever");
});
