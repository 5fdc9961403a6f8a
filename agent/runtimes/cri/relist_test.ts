import assert from "node:assert/strict";
import { type Ms, ms } from "../../../core/base/mod.ts";
import {
  changedPods,
  type Hint,
  isShown,
  type ListedItem,
  POLLED,
  PUSHED,
  relistGap,
  relistRest,
} from "./relist.ts";

const listed = (...items: [id: string, podUid: string, state: string][]): Map<string, ListedItem> =>
  new Map(items.map(([id, podUid, state]) => [id, { id, podUid, state }]));

Deno.test("relistGap() is the slow one when nothing is expected", () => {
  assert.equal(relistGap(POLLED, { misses: 7 }, ms(5)), 1000);
  assert.equal(relistGap(PUSHED, { misses: 0 }, ms(5)), 10_000);
});

Deno.test("relistGap() doubles from the first gap to the cap after a hint", () => {
  const gaps = [0, 1, 2, 3, 4, 5, 90].map((misses) =>
    relistGap(POLLED, { hintedAt: ms(100), misses }, ms(150))
  );
  assert.deepEqual(gaps, [3, 6, 12, 24, 48, 50, 50]);
});

Deno.test("relistGap() gives up on a hint after its time", () => {
  const at = (now: number): Ms => relistGap(PUSHED, { hintedAt: ms(100), misses: 3 }, ms(now));
  assert.equal(at(599), 8);
  assert.equal(at(600), 10_000);
});

Deno.test("a push costs at most 65 lists for a hint that never comes true", () => {
  let now = ms(0);
  let misses = 0;
  for (; now < PUSHED.fastFor; misses++) {
    now = ms(now + relistGap(PUSHED, { hintedAt: ms(0), misses }, now));
  }
  assert.ok(misses <= 65, `${misses} lists`);
});

Deno.test("relistRest() leaves three quarters of the time to others, a quarter of a second at most", () => {
  assert.deepEqual([0, 2, 50, 1000].map((took) => relistRest(ms(took))), [0, 6, 150, 250]);
});

Deno.test("changedPods() names pods of which something came, went or changed", () => {
  const before = listed(["s1", "a", "ready"], ["c1", "a", "running"], ["c2", "b", "running"], [
    "c3",
    "c",
    "exited",
  ]);
  const after = listed(["s1", "a", "ready"], ["c1", "a", "exited"], ["c2", "b", "running"], [
    "c4",
    "d",
    "created",
  ]);
  assert.deepEqual([...changedPods(before, after)].sort(), ["a", "c", "d"]);
  assert.deepEqual([...changedPods(after, after)], []);
});

const CASES: [Hint["kind"], string | undefined, boolean][] = [
  ["start", undefined, false],
  ["start", "created", false],
  ["start", "running", true],
  ["start", "ready", true],
  ["start", "exited", true],
  ["exit", "running", false],
  ["exit", "ready", false],
  ["exit", "created", false],
  ["exit", "exited", true],
  ["exit", "notready", true],
  ["exit", undefined, true],
];
for (const [kind, state, want] of CASES) {
  Deno.test(`isShown() is ${want} for a ${kind} while the list says ${state}`, () => {
    const list = state === undefined ? listed() : listed(["x", "a", state]);
    assert.equal(isShown({ id: "x", kind }, list), want);
  });
}
