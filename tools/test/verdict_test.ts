import assert from "node:assert/strict";
import type { Ended } from "./process.ts";
import { absent, judge, sumLine } from "./verdict.ts";

const A = { name: "a", limit: 9, never: [] };
const GOOD: Ended = {
  code: 0,
  output: "ok | 2 passed | 0 failed (1s)",
  timedOut: false,
  leftBehind: [],
};
const IGNORED = { ...GOOD, output: "b ... ignored (0ms)\nok | 2 passed | 0 failed | 1 ignored" };

Deno.test("judge() counts what passed", () => {
  assert.deepEqual(judge(A, GOOD, true), {
    name: "a",
    passed: 2,
    failed: 0,
    skipped: 0,
    reasons: [],
    briefs: [],
  });
});

Deno.test("judge() makes an ignored test a failure in CI and a skip elsewhere", () => {
  const inCi = judge(A, IGNORED, true);
  assert.deepEqual([inCi.failed, inCi.skipped, inCi.reasons], [1, 0, ["not run: b"]]);
  const here = judge(A, IGNORED, false);
  assert.deepEqual([here.failed, here.skipped, here.reasons], [0, 1, ["not run: b"]]);
});

Deno.test("judge() lets a test be skipped that never applies, and no other", () => {
  const inCi = judge({ ...A, never: ["b"] }, IGNORED, true);
  assert.deepEqual([inCi.failed, inCi.skipped, inCi.reasons], [0, 0, []]);
  assert.equal(judge({ ...A, never: ["c"] }, IGNORED, true).failed, 1);
  const unnamed = { ...IGNORED, output: IGNORED.output.replace("1 ignored", "2 ignored") };
  assert.equal(judge({ ...A, never: ["b"] }, unnamed, true).failed, 1);
});

Deno.test("judge() names a suite that hung", () => {
  const verdict = judge(A, { ...GOOD, code: 143, output: "x ...", timedOut: true }, false);
  assert.deepEqual([verdict.failed, verdict.reasons], [1, ["hung: ended after its limit of 9 s"]]);
});

Deno.test("judge() fails a suite that ended before its tests did", () => {
  const verdict = judge(A, { ...GOOD, code: 134, output: "x ..." }, false);
  assert.deepEqual([verdict.failed, verdict.reasons], [1, [
    "ended with exit code 134 before its tests did",
  ]]);
});

Deno.test("judge() fails a suite whose exit code contradicts its closing line", () => {
  assert.equal(judge(A, { ...GOOD, code: 1 }, false).failed, 1);
});

Deno.test("judge() fails a suite that leaves a process behind", () => {
  const verdict = judge(A, { ...GOOD, leftBehind: ["sleep 9"] }, false);
  assert.deepEqual([verdict.failed, verdict.reasons], [1, ["left a process behind: sleep 9"]]);
});

Deno.test("judge() fails a suite without a test in CI", () => {
  const none = { ...GOOD, output: "ok | 0 passed | 0 failed (1ms)" };
  assert.equal(judge(A, none, true).failed, 1);
});

Deno.test("sumLine() adds up, and names skips only when there are any", () => {
  const good = judge(A, GOOD, true);
  assert.equal(sumLine([good, good]), "4 passed, 0 failed");
  assert.equal(sumLine([good, absent("b", "no root", false)]), "2 passed, 0 failed, 1 skipped");
  assert.equal(sumLine([good, absent("b", "no root", true)]), "2 passed, 1 failed");
});
