import assert from "node:assert/strict";
import { buildExamples } from "../tools/build_examples.ts";
import { type KubeObject, parseWasmFunction } from "../core/api/mod.ts";
import { resolveWasmLimits, resolveWasmTriggers } from "../core/api/mod.ts";
import { deploy, withRunner } from "../runner/harness.ts";

/** What an example's build made: its module and the function of its manifest. */
async function load(folder: string, name: string) {
  const build = new URL(`${folder}/build/`, import.meta.url);
  const text = await Deno.readTextFile(new URL(`${name}.yaml`, build));
  const [map, fn] = text.split("\n---\n").map((part) => JSON.parse(part) as KubeObject);
  assert.ok(map && fn);
  const wasm = await Deno.readFile(new URL(`${name}.wasm`, build));
  assert.equal(map["binaryData"]["module.wasm"], wasm.toBase64());
  const parsed = parseWasmFunction(fn);
  const change = {
    uid: name,
    name,
    abi: parsed.spec.abi ?? "auto",
    triggers: resolveWasmTriggers(parsed).map((trigger) => ({
      ...trigger,
      methods: [...trigger.methods],
    })),
    limits: resolveWasmLimits(parsed.spec),
    env: Object.fromEntries((parsed.spec.env ?? []).map(({ name, value }) => [name, value])),
  } as const;
  return { wasm, change };
}

async function expected(folder: string): Promise<string> {
  return await Deno.readTextFile(new URL(`${folder}/expected.txt`, import.meta.url));
}

Deno.test("the examples build, deploy from their manifests and answer as their READMEs say", async () => {
  await buildExamples();
  await withRunner(async (runner) => {
    for (
      const [folder, name] of [["hello", "hello"], ["filter", "filter"], ["wasi-command", "upper"]]
    ) {
      const { wasm, change } = await load(folder ?? "", name ?? "");
      const state = await deploy(runner, wasm, change);
      assert.equal(state.reason, "Serving", state.message);
    }
    const hello = await fetch(`${runner.base}/default/hello`);
    assert.equal(hello.headers.get("content-type"), "text/plain; charset=utf-8");
    assert.equal(await hello.text(), await expected("hello"));
    const filter = await fetch(`${runner.base}/filter`, {
      method: "POST",
      body: await Deno.readTextFile(new URL("filter/input.csv", import.meta.url)),
    });
    assert.equal(await filter.text(), await expected("filter"));
    const upper = await fetch(`${runner.base}/upper`, { method: "POST", body: "skerry stays\n" });
    assert.equal(upper.headers.get("x-example"), "wasi-command");
    assert.equal(await upper.text(), await expected("wasi-command"));
  });
});
