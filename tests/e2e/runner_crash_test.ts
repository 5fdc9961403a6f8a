import assert from "node:assert/strict";
import { BenchRunner } from "../../bench/function_http_lib.ts";
import { answerAt, guest, OK_SIZE } from "../../runner/guests.ts";
import { testLibrary, testWasm } from "../../runner/harness.ts";

const OK = guest(answerAt(16, OK_SIZE));
const LOOP = guest("(loop $l (br $l)) (unreachable)");

/** A runner as the launcher starts it: own process, own permission set. */
async function withProcess(body: (runner: BenchRunner) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skerry-runner-" });
  try {
    await using runner = new BenchRunner(folder, testLibrary());
    await runner.start();
    await body(runner);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a runner that is killed in the middle of requests serves again after its restart", () =>
  withProcess(async (runner) => {
    await runner.deploy(testWasm(OK), { name: "ok" });
    await runner.deploy(testWasm(LOOP), { name: "loop" });
    for (let round = 0; round < 3; round++) {
      const base = `http://127.0.0.1:${runner.port}/default`;
      const cut = Array.from(
        { length: 8 },
        (_, i) =>
          fetch(`${base}/${i % 2 ? "ok" : "loop"}`).then(
            (response) => response.text(),
            () => "cut",
          ),
      );
      // One that has been answered shows that the others are on their way.
      assert.equal(await (await fetch(`${base}/ok`)).text(), "ok");
      await runner.stop("SIGKILL");
      const answers = await Promise.all(cut);
      assert.ok(answers.includes("cut"), "nothing was in flight");
      await runner.start();
      const again = await fetch(`http://127.0.0.1:${runner.port}/default/ok`);
      assert.equal(await again.text(), "ok");
    }
    const { functions } = await runner.client.status();
    assert.deepEqual(functions.map(({ state }) => state), ["Ready", "Ready"]);
  }));

Deno.test("the runner's files are for its own user alone", () =>
  withProcess(async (runner) => {
    await runner.deploy(testWasm(OK), { name: "ok" });
    const { folder } = runner;
    for (const path of [folder, `${folder}/modules`, `${folder}/compiled`]) {
      assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o700, path);
    }
    assert.equal(((await Deno.stat(`${folder}/control.sock`)).mode ?? 0) & 0o777, 0o660);
  }));

Deno.test("a second runner on the same socket is refused, and the first goes on", () =>
  withProcess(async (runner) => {
    await runner.deploy(testWasm(OK), { name: "ok" });
    await using second = new BenchRunner(runner.folder, testLibrary());
    await assert.rejects(second.start(), /did not start: exit code 73/);
    const response = await fetch(`http://127.0.0.1:${runner.port}/default/ok`);
    assert.equal(await response.text(), "ok");
  }));
