import assert from "node:assert/strict";
import { ensureArm64 } from "../../tools/arm64/mod.ts";
import { lacks } from "../../tools/test/needs.ts";

const missing = lacks("root");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const ROOT = new URL("../../", import.meta.url);

/** Runs a test file with the arm64 Deno; its number of passed tests. @throws {Error} with the end of its output */
async function testOn(
  deno: readonly [string, ...string[]],
  file: string,
  env: Record<string, string>,
): Promise<number> {
  const [program, ...before] = deno;
  const { success, stdout } = await new Deno.Command(program, {
    args: [
      ...before,
      "test",
      "-A",
      "--no-check",
      "--frozen",
      new URL(file, import.meta.url).pathname,
    ],
    cwd: ROOT,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).output();
  const text = new TextDecoder().decode(stdout);
  const count = Number(/^ok \| (\d+) passed/m.exec(text)?.[1] ?? 0);
  if (success && count > 0) return count;
  const failures = text.slice(Math.max(0, text.indexOf(" ERRORS "))).slice(-6000);
  throw new Error(`${file} on arm64 failed:\n${failures}`);
}

Deno.test({
  name: `what decides and keeps, pods, the simulation and a function run on arm64${skipped}`,
  ignore: missing !== undefined,
  async fn(t) {
    const lines: string[] = [];
    const { deno, library } = await ensureArm64((line) => lines.push(line));
    const env = { SKERRY_LIBWASMTIME: library };
    await t.step("a function answers", async () => {
      assert.equal(await testOn(deno, "function.ts", env), 1);
    });
    await t.step("the tests of rooms and the simulation pass", async () => {
      const count = await testOn(deno, "units.ts", env);
      // So that a folder which is no longer found is noticed.
      assert.ok(count > 400, `only ${count} tests ran`);
    });
  },
});
