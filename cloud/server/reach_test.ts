import assert from "node:assert/strict";
import { ms, seconds } from "../../core/base/mod.ts";
import { HERE, nextReach, type Reach } from "./reach.ts";

/** Asked at each of these times, in seconds; what came of it, `heard` being when anything was. */
function after(
  state: Reach,
  ...asked: readonly { from: number; took?: number; ok?: boolean; heard?: number }[]
): Reach {
  return asked.reduce((before, { from, took = 0, ok = false, heard = -1 }) =>
    nextReach(before, {
      from: seconds(from),
      now: ms(seconds(from) + seconds(took)),
      ok,
      heard: seconds(heard),
    }), state);
}

const SILENT = [{ from: 10, took: 2 }, { from: 12.5, took: 2 }];
const REFUSING = [10, 10.5, 11, 11.5, 12, 12.5].map((from) => ({ from }));

Deno.test("nextReach() takes a server for away when it has been asked in vain for 3 s, twice at least", () => {
  assert.equal(after(HERE, { from: 10, took: 30 }).away, false, "one question may get lost");
  assert.equal(after(HERE, ...SILENT).away, true);
  assert.equal(after(HERE, ...REFUSING).away, false);
  assert.equal(after(HERE, ...REFUSING, { from: 13 }).away, true);
});

Deno.test("nextReach() goes by any answer that anybody has had meanwhile", () => {
  assert.equal(after(HERE, { from: 10, took: 2, heard: 11 }), HERE);
  assert.equal(after(HERE, SILENT[0] ?? { from: 0 }, { from: 12.5, took: 2, heard: 13 }), HERE);
  // Heard between the two: it counts from the second question.
  const between = after(HERE, { from: 10, took: 2 }, { from: 12.5, took: 2, heard: 12.2 });
  assert.deepEqual(between, { away: false, tries: 1, since: seconds(12.5) });
  assert.equal(after(between, { from: 15, took: 2 }).away, true);
});

Deno.test("nextReach() has a server back that gives what was asked for, or refuses it for a minute", () => {
  const away = after(HERE, ...SILENT);
  assert.equal(after(away, { from: 20, ok: true, heard: 20.1 }), HERE);
  const refuses = [20, 40, 79].map((from) => ({ from, heard: from + 0.1 }));
  assert.equal(after(away, ...refuses).away, true);
  assert.equal(after(away, ...refuses, { from: 80, heard: 80.1 }), HERE);
  const again = after(away, ...refuses, { from: 79.5, took: 2 }, { from: 82, heard: 82.1 });
  assert.equal(again.away, true, "it was silent in between");
});
