import assert from "node:assert/strict";
import { parse } from "yaml";
import { type KubeObject, validateWasmFunction } from "../../core/api/mod.ts";

const ROOT = new URL("../../", import.meta.url);
const readme = await Deno.readTextFile(new URL("README.md", ROOT));
const config = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));

Deno.test("README names only tasks that exist", () => {
  const named = [...readme.matchAll(/(?:deno(?:@[\d.]+)? task) ([a-z][\w-]*)/g)]
    .map((match) => match[1] ?? "");
  assert.ok(named.includes("up") && named.includes("test"));
  assert.deepEqual(named.filter((name) => !Object.hasOwn(config.tasks, name)), []);
});

Deno.test("README and AGENTS name only files that exist", async () => {
  const agents = await Deno.readTextFile(new URL("AGENTS.md", ROOT));
  const paths = [...`${readme}${agents}`.matchAll(/`((?:\.ci|[a-z][\w-]*)\/[\w./-]+)`/g)]
    .map((match) => match[1] ?? "");
  assert.ok(paths.includes("docs/architecture.md"));
  const missing: string[] = [];
  for (const path of new Set(paths)) {
    if (!await Deno.stat(new URL(path, ROOT)).catch(() => undefined)) missing.push(path);
  }
  assert.deepEqual(missing, []);
});

Deno.test("README's functions are valid", () => {
  const blocks = [...readme.matchAll(/```yaml\n(.*?)```/gs)].map((match) => match[1] ?? "");
  assert.ok(blocks.length > 0);
  for (const block of blocks) {
    assert.deepEqual(validateWasmFunction(parse(block) as KubeObject), []);
  }
});

Deno.test("AGENTS.md stays within 80 lines", async () => {
  const text = await Deno.readTextFile(new URL("AGENTS.md", ROOT));
  assert.ok(text.trimEnd().split("\n").length <= 80);
});
