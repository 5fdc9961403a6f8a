/**
 * The unit tests of core and agent and the simulation in one process, for a machine on which starting
 * Deno and loading modules is what takes time. Properties are tried for a second each.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { runSeed } from "../sim/run.ts";

fc.configureGlobal({ numRuns: 3, interruptAfterTimeLimit: 1000, markInterruptAsFailure: false });

const ROOT = new URL("../../", import.meta.url);
/** They start programs of this Deno, which without binfmt qemu alone can start, or wait for real time. */
const APART = [
  "core/parts/trim_test.ts",
  "core/http/server_test.ts",
  "core/http/metrics_server_test.ts",
  "core/streaming/",
  "core/wire/",
  "agent/pods/probes/asker_test.ts",
  "agent/pods/policy/decide_property_test.ts",
  "agent/plugins/",
];

async function testFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    if (isDirectory) found.push(...await testFiles(`${folder}${name}/`));
    else if (name.endsWith("_test.ts")) found.push(`${folder}${name}`);
  }
  return found;
}

const folders = ["core/", "agent/", "tests/golden/"];
for (const file of (await Promise.all(folders.map(testFiles))).flat().sort()) {
  if (!APART.some((start) => file.startsWith(start))) await import(new URL(file, ROOT).href);
}

for (const seed of [1, 2, 3]) {
  Deno.test(`the simulation lives the life ${seed}`, async () => {
    const { broken, convergedAfter } = await runSeed(seed);
    assert.equal(broken?.message, undefined);
    assert.ok(convergedAfter !== undefined);
  });
}
