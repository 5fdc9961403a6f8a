import assert from "node:assert/strict";
import { type Logger, seconds, silentLogger, VirtualClock } from "../../core/base/mod.ts";
import { causeOf, FailureLog } from "./failures.ts";

Deno.test("FailureLog writes the first failure, then a count at most every 10 s, for each function", async () => {
  const clock = new VirtualClock();
  const lines: unknown[] = [];
  const log: Logger = { ...silentLogger, warn: (_text, fields) => void lines.push(fields) };
  const failures = new FailureLog(clock, log);
  const [a, b] = [{}, {}];
  for (let i = 0; i < 1000; i++) failures.note(a, { function: "a" });
  failures.note(b, { function: "b" });
  assert.deepEqual(lines, [{ function: "a" }, { function: "b" }]);
  await clock.advance(seconds(10));
  for (let i = 0; i < 1000; i++) failures.note(a, { function: "a" });
  assert.deepEqual(lines.slice(2), [{ function: "a", failedSinceLastLine: 1000 }]);
});

Deno.test("causeOf() finds the line that says why", () => {
  const trace = "error while executing at wasm backtrace:\n    0:  0x4f - <unknown>!handle";
  const trap = "wasm trap: wasm `unreachable` instruction executed";
  assert.equal(causeOf(`${trace}\n\nCaused by:\n    ${trap}`), trap);
  assert.equal(causeOf(`${trace}\n\nCaused by:\n    0: ${trap}`), trap);
  assert.equal(causeOf(`${trace}\n\nCaused by:\n    out of room`), "out of room");
  assert.equal(causeOf("exit 3"), "exit 3");
});
