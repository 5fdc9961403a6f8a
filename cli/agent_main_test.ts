import { notStrictEqual, strictEqual } from "node:assert/strict";
import { bundleAgent } from "../tools/bundle.ts";
import { lacks } from "../tools/test/needs.ts";
import { agentMain, BUNDLE, sourceStamp, STAMP } from "./agent_main.ts";
import { ROOT } from "./launch.ts";

/** A project of one module and one test. */
async function project(): Promise<string> {
  const root = await Deno.makeTempDir();
  for (const folder of ["agent", "core/base", "bundle"]) {
    await Deno.mkdir(`${root}/${folder}`, { recursive: true });
  }
  await Deno.writeTextFile(`${root}/agent/main.ts`, "one");
  await Deno.writeTextFile(`${root}/core/base/x_test.ts`, "a test");
  await Deno.writeTextFile(`${root}/deno.json`, "{}");
  await Deno.writeTextFile(`${root}/deno.lock`, "{}");
  return root;
}

Deno.test("agentMain() is the one file only where it is of these very sources", async () => {
  const root = await project();
  strictEqual(await agentMain(root), `${root}/agent/main.ts`);
  await Deno.writeTextFile(`${root}/${BUNDLE}`, "");
  strictEqual(await agentMain(root), `${root}/agent/main.ts`);
  await Deno.writeTextFile(`${root}/${STAMP}`, await sourceStamp(root));
  strictEqual(await agentMain(root), `${root}/${BUNDLE}`);
  await Deno.writeTextFile(`${root}/core/base/x_test.ts`, "another test");
  strictEqual(await agentMain(root), `${root}/${BUNDLE}`);
  for (const path of ["agent/main.ts", "core/base/new.ts", "deno.lock"]) {
    const before = await sourceStamp(root);
    await Deno.writeTextFile(`${root}/${path}`, "two");
    strictEqual(await agentMain(root), `${root}/agent/main.ts`, path);
    notStrictEqual(await sourceStamp(root), before);
  }
  await Deno.remove(root, { recursive: true });
});

const missing = lacks("bundle");

Deno.test({
  name: `set-up has made the agent one file, and need not make it twice${
    missing === undefined ? "" : ` (skipped: ${missing})`
  }`,
  ignore: missing !== undefined,
  async fn() {
    await bundleAgent();
    strictEqual(await agentMain(ROOT), `${ROOT}/${BUNDLE}`);
    strictEqual(await bundleAgent(), false);
  },
});
