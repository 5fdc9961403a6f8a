import assert from "node:assert/strict";
import { failureBriefs, failureText, ignoredTests, parseSummary } from "./summary.ts";

const LINES: readonly [line: string, passed: number, failed: number, ignored: number][] = [
  ["ok | 12 passed | 0 failed (4s)", 12, 0, 0],
  ["ok | 1 passed (1 step) | 0 failed (4ms)", 1, 0, 0],
  ["ok | 12 passed (3 steps) | 0 failed | 1 ignored (4s)", 12, 0, 1],
  ["ok | 12 passed | 0 failed | 2 ignored (3 steps) | 4 measured (1m2s)", 12, 0, 5],
  ["FAILED | 3 passed | 2 failed (1 step) | 1 ignored (1s)", 3, 2, 1],
  ["\x1b[0m\x1b[32mok\x1b[0m | 7 passed | 0 failed \x1b[38;5;245m(28ms)\x1b[0m", 7, 0, 0],
  ["ok | 0 passed | 0 failed | 3 filtered out (1ms)", 0, 0, 0],
];

for (const [line, passed, failed, ignored] of LINES) {
  Deno.test(`parseSummary() reads "${line}"`, () => {
    assert.deepEqual(parseSummary(`running\n${line}\n\n`), { passed, failed, ignored });
  });
}

Deno.test("parseSummary() takes the last closing line when a test prints one", () => {
  const output = "ok | 9 passed | 0 failed (1s)\nFAILED | 1 passed | 1 failed (1s)\nerror: x\n";
  assert.deepEqual(parseSummary(output), { passed: 1, failed: 1, ignored: 0 });
});

Deno.test("parseSummary() finds nothing when the process ended early", () => {
  assert.equal(parseSummary("running 3 tests from ./a_test.ts\na ...\n"), undefined);
});

Deno.test("ignoredTests() names tests and steps", () => {
  const output = "a ...\n  step ... ignored (0ms)\na ... ok (1ms)\nneeds x ... ignored (0ms)\n";
  assert.deepEqual(ignoredTests(output), ["step", "needs x"]);
});

Deno.test("failureText() begins at the errors, or gives the last lines", () => {
  assert.equal(failureText("a ... FAILED\n\n ERRORS \n\na => boom\n"), " ERRORS \n\na => boom");
  assert.equal(failureText("1\n2\n3\n", 2), "2\n3");
  assert.equal(failureText(" ERRORS \n1\n2", 2), " ERRORS \n1\n(1 more lines)");
});

Deno.test("failureBriefs() gives of each error where it was and what it says, without its stack", () => {
  const error = (name: string): string =>
    `${name} => ./a_test.ts:2:44\nerror: Error: no\n+ 1\n\n- 2\n    at x (a_test.ts:2:67)\n    at y\n`;
  const output = `b ... FAILED\n\n ERRORS \n\n${error("a ... b")}\n${
    error("a")
  }\n FAILURES \n\na => ./a:2:6\n`;
  const [first, second, ...more] = failureBriefs(output);
  assert.equal(first, "a ... b => ./a_test.ts:2:44\nerror: Error: no\n+ 1\n- 2");
  assert.equal(second, "a => ./a_test.ts:2:44\nerror: Error: no\n+ 1\n- 2");
  assert.deepEqual(more, []);
  assert.deepEqual(failureBriefs("ok | 1 passed | 0 failed"), []);
});
