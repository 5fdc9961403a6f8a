import assert from "node:assert/strict";
import { findTestFiles } from "./files.ts";
import { runSuites } from "./run.ts";
import type { Suite } from "./suites.ts";

const FILES: Readonly<Record<string, string>> = {
  "deno.json": `{ "lock": false }`,
  "good/a_test.ts": `Deno.test("a", () => {});\nDeno.test("b", () => {});`,
  "bad/a_test.ts": `Deno.test("a", () => { throw new Error("boom"); });`,
  "part/a_test.ts": `Deno.test({ name: "needs a thing", ignore: true, fn() {} });\n` +
    `Deno.test("told", () => { if (!Deno.env.get("SKERRY_TEST_MISSING")) throw new Error(); });`,
  "on/a_test.ts":
    `Deno.test("a", () => { if (Deno.env.get("KUBECONFIG") !== "/the/cluster") throw new Error(); });`,
  "off/a_test.ts": `Deno.test("a", () => { if (Deno.env.get("KUBECONFIG")) throw new Error(); });`,
  "hang/a_test.ts": `Deno.test("a", () => { while (true); });`,
  "dies/a_test.ts": `Deno.test("a", () => Deno.exit(0));`,
};

function suite(name: string, rest: Partial<Suite> = {}): Suite {
  return {
    name,
    paths: [name],
    needs: [],
    limit: 60,
    turn: "machine",
    onCluster: false,
    never: [],
    ...rest,
  };
}

async function run(
  suites: readonly Suite[],
  ci: boolean,
  cluster = () => Promise.resolve("/the/cluster"),
): Promise<{ sums: string[]; out: string }> {
  const root = await Deno.makeTempDir();
  try {
    for (const [path, text] of Object.entries(FILES)) {
      await Deno.mkdir(`${root}/${path.split("/").slice(0, -1).join("/")}`, { recursive: true });
      await Deno.writeTextFile(`${root}/${path}`, text);
    }
    const lines: string[] = [];
    const verdicts = await runSuites(suites, {
      root,
      files: await findTestFiles(root),
      missing: { kubectl: "no package has it" },
      ci,
      verbose: false,
      width: 2,
      cluster,
      say: (line) => lines.push(line),
      signal: new AbortController().signal,
    });
    const sums = verdicts.map((v) => `${v.name} ${v.passed}/${v.failed}/${v.skipped}`).sort();
    return { sums, out: lines.join("\n") };
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("runSuites() counts good, bad, ignored and missing on a laptop", async () => {
  const { sums, out } = await run([
    suite("good"),
    suite("bad"),
    suite("part"),
    suite("none"),
    suite("dies", { needs: ["kubectl"] }),
  ], false);
  assert.deepEqual(sums, ["bad 0/1/0", "dies 0/0/1", "good 2/0/0", "none 0/0/1", "part 1/0/1"]);
  assert.match(out, /Error: boom/);
  assert.match(out, /SKIPPED dies/);
  assert.match(out, /dies: kubectl: no package has it/);
  assert.match(out, /part: not run: needs a thing/);
});

Deno.test("runSuites() tells a suite that runs on a cluster which one, and others that there is none", async () => {
  const { sums } = await run([suite("on", { onCluster: true }), suite("off")], true);
  assert.deepEqual(sums, ["off 1/0/0", "on 1/0/0"]);
});

Deno.test("runSuites() keeps what passed when there is no cluster for the rest", async () => {
  const cluster = () => Promise.reject(new Error("no cluster can be had"));
  const { sums, out } = await run([suite("on", { onCluster: true }), suite("off")], true, cluster);
  assert.deepEqual(sums, ["off 1/0/0", "on 0/1/0"]);
  assert.match(out, /on: no cluster can be had/);
});

Deno.test("runSuites() skips nothing in CI", async () => {
  const suites = [suite("part"), suite("none"), suite("good", { needs: ["kubectl"] })];
  assert.deepEqual((await run(suites, true)).sums, ["good 0/1/0", "none 0/1/0", "part 1/1/0"]);
});

Deno.test("runSuites() names a suite that hangs and one that ends its own process", async () => {
  const { sums, out } = await run([suite("hang", { limit: 3 }), suite("dies")], false);
  assert.deepEqual(sums, ["dies 0/1/0", "hang 0/1/0"]);
  assert.match(out, /hang: hung: ended after its limit of 3 s/);
});
