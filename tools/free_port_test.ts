import assert from "node:assert/strict";
import { freePort } from "./free_port.ts";

const COUNT = 300;

/** Ports that another process is given, while `body` runs beside it. */
async function ofAnotherProcess(body: () => void): Promise<number[]> {
  const script =
    `import { freePort } from ${JSON.stringify(import.meta.resolve("./free_port.ts"))};` +
    `console.log(JSON.stringify(Array.from({ length: ${COUNT} }, freePort)));` +
    "await Deno.stdin.read(new Uint8Array(1));";
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", script],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const output = child.stdout.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  let text = "";
  while (!text.includes("\n")) text += (await output.next()).value ?? assert.fail(text);
  body();
  await child.stdin.close();
  await child.status;
  await output.return?.();
  return JSON.parse(text);
}

Deno.test("freePort() gives no port twice, to another process either while both live", async () => {
  const own: number[] = [];
  const others = await ofAnotherProcess(() => {
    for (let i = 0; i < COUNT; i++) own.push(freePort());
  });
  assert.equal(new Set([...own, ...others]).size, 2 * COUNT);
});
