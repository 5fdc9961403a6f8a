import assert from "node:assert/strict";
import { groupMembers, runLimited, type RunOptions } from "./process.ts";

function shell(script: string, rest: Partial<RunOptions> = {}): ReturnType<typeof runLimited> {
  const signal = new AbortController().signal;
  return runLimited("sh", { args: ["-c", script], cwd: "/", limit: 60, signal, ...rest });
}

Deno.test("runLimited() gives the exit code, all output and whole lines", async () => {
  const lines: string[] = [];
  const script = "printf 'a\\nb'; printf 'c\\n' >&2; printf d; exit 3";
  const ended = await shell(script, { onLine: (line) => lines.push(line) });
  assert.deepEqual([ended.code, ended.timedOut, ended.leftBehind], [3, false, []]);
  assert.deepEqual(lines.sort(), ["a", "bd", "c"]);
});

Deno.test("runLimited() gives no standard input", async () => {
  assert.equal((await shell("cat; echo done")).output, "done\n");
});

Deno.test("runLimited() ends the whole group when the limit passes", async () => {
  const ended = await shell("sleep 600 & echo $$; wait", { limit: 3 });
  assert.equal(ended.timedOut, true);
  assert.deepEqual(groupMembers(Number(ended.output)), []);
});

Deno.test("runLimited() ends a group that does not listen to SIGTERM", async () => {
  const ended = await shell("trap '' TERM; echo $$; while :; do sleep 0.1; done", { limit: 3 });
  assert.equal(ended.timedOut, true);
  assert.deepEqual(groupMembers(Number(ended.output)), []);
});

Deno.test("runLimited() ends the group when the signal aborts", async () => {
  const stop = new AbortController();
  const onLine = (): void => stop.abort();
  const ended = await shell("echo up; sleep 600", { signal: stop.signal, onLine });
  assert.notEqual(ended.code, 0);
  assert.equal(ended.timedOut, false);
});

Deno.test("runLimited() names and ends what outlives the program", async () => {
  // A child is the shell until it has become its program.
  const ended = await shell(
    "sleep 600 & until grep -q sleep /proc/$!/comm; do :; done; echo $$",
  );
  assert.deepEqual([ended.code, ended.leftBehind], [0, ["sleep 600"]]);
  assert.deepEqual(groupMembers(Number(ended.output)), []);
});
