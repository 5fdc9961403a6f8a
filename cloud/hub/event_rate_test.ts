import assert from "node:assert/strict";
import { minutes, type Ms, ms } from "../../core/base/mod.ts";
import { EventRate } from "./event_rate.ts";

/** How many Events of `bytes` each the node may make now. */
function takeAll(rate: EventRate, node: string, bytes: number, now: Ms): number {
  let taken = 0;
  while (taken < 10_000 && rate.take(node, bytes, now)) taken++;
  return taken;
}

Deno.test("EventRate lets a node make so many bytes of events at once, then so many an hour", () => {
  const rate = new EventRate();
  assert.equal(takeAll(rate, "a", 1024, ms(0)), 4096);
  assert.equal(takeAll(rate, "b", 16 * 1024, ms(0)), 256, "another node has its own");
  assert.equal(takeAll(rate, "a", 1024, minutes(15)), 4096);
  assert.equal(takeAll(rate, "a", 1024, minutes(15 + 7.5)), 2048);
  assert.equal(takeAll(rate, "a", 1024, minutes(60 * 24)), 4096, "it does not fill for ever");
});
