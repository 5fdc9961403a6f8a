/**
 * The unit tests of core and agent and the simulation in one process, for a machine on which starting
 * Deno and loading modules is what takes time. Properties are tried for two seconds each.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { runSeed } from "../sim/run.ts";

fc.configureGlobal({ numRuns: 3, interruptAfterTimeLimit: 2000, markInterruptAsFailure: false });

const ROOT = new URL("../../", import.meta.url);
/**
 * What is run: all that decides and keeps, pods on the fake runtime among it. Left out are rooms whose
 * tests speak TLS or wait for real time (`core/http`, `core/link`, `core/streaming`, `agent/link` ...):
 * emulated, they are slower than the limits that they test.
 */
const ROOMS = [
  ...["core/api/", "core/base/", "core/cache/", "core/control/", "core/store/", "core/sync/"],
  ...["agent/functions/", "agent/node/"],
  ...["agent/pods/config/", "agent/pods/policy/", "agent/pods/volumes/", "agent/pods/logs/"],
  ...["tests/golden/"],
];
/** Of the rest of the pods room, the tests of whole pods. */
const FILES = ["agent/pods/manager_test.ts"];

async function testFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    if (isDirectory) found.push(...await testFiles(`${folder}${name}/`));
    else if (name.endsWith("_test.ts")) found.push(`${folder}${name}`);
  }
  return found;
}

for (const file of [...(await Promise.all(ROOMS.map(testFiles))).flat(), ...FILES].sort()) {
  await import(new URL(file, ROOT).href);
}

Deno.test("the simulation lives a life", async () => {
  const { broken, convergedAfter } = await runSeed(1);
  assert.equal(broken?.message, undefined);
  assert.ok(convergedAfter !== undefined);
});
