import { match, strictEqual } from "node:assert/strict";

const ROOT = new URL("..", import.meta.url).pathname;

Deno.test("every verb of skerry answers --help, and needs no hub for it", async (t) => {
  for (const [verb, option] of Object.entries(OPTIONS)) {
    await t.step(verb, async () => {
      const { code, stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "--no-prompt", "-P=cli", "cli/skerry.ts", verb, "--help"],
        cwd: ROOT,
      }).output();
      const text = new TextDecoder().decode(stdout);
      strictEqual(code, 0);
      match(text, new RegExp(`^Usage: deno task skerry ${verb} `));
      match(text, option);
    });
  }
});

const OPTIONS = {
  token: /--node NAME/,
  join: /--hub HOST:PORT/,
  status: /--kubeconfig FILE/,
  apply: /--file FILE/,
};
