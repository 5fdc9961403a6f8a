import assert from "node:assert/strict";

/** Runs the dispatcher as `deno task bench` does. */
async function bench(...args: string[]): Promise<{ code: number; out: string }> {
  const main = new URL("./main.ts", import.meta.url).pathname;
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "-P=tools", main, ...args],
    cwd: new URL("..", import.meta.url),
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  return { code: output.code, out: new TextDecoder().decode(output.stdout) };
}

Deno.test("bench lists its figures when it gets no name", async () => {
  const { code, out } = await bench();
  assert.equal(code, 0);
  assert.match(out, /^Benches:\n/);
  const files: string[] = [];
  for await (const { name } of Deno.readDir(new URL(".", import.meta.url))) files.push(name);
  for (const name of out.trim().split("\n").slice(1).map((line) => line.trim())) {
    if (name !== "(none yet)") assert.ok(files.includes(`${name.replaceAll("-", "_")}.ts`), name);
  }
});

Deno.test("bench refuses a name that is none, and paths", async () => {
  for (const name of ["nothing-here", "../tools/setup", "main"]) {
    const { code, out } = await bench(name);
    assert.equal(code, 2);
    assert.match(out, /^There is no bench "/);
  }
});
