import assert from "node:assert/strict";
import { compatPage } from "./compat.ts";

Deno.test("docs/compat.md says what the table of fields says", async () => {
  const written = await Deno.readTextFile(new URL("../docs/compat.md", import.meta.url));
  const fresh = await formatted(compatPage());
  assert.equal(written, fresh, "run: deno run -P=tools tools/compat.ts && deno fmt docs/compat.md");
});

async function formatted(text: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext=md", "--line-width=100", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { stdout } = await child.output();
  return new TextDecoder().decode(stdout);
}
