import assert from "node:assert/strict";
import { HOST_VIEW } from "../core/parts/mod.ts";
import { lacks } from "./test/needs.ts";

const missing = lacks("netns");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

Deno.test({
  name: `prepareHost() mounts what is not there with the set of tools${skipped}`,
  ignore: missing !== undefined,
  async fn() {
    const program = new URL("./host_mounts.ts", import.meta.url).pathname;
    const deno = `"${Deno.execPath()}" run --quiet --no-prompt -P=tools "${program}"`;
    // In a mount namespace of its own, which takes its mounts with it.
    const script = [
      "umount -q /run/skerry/volumes /run/skerry/host/dev /run/skerry/host/sys",
      ...[deno, "echo again >&2", deno],
      "stat -f -c %T /run/skerry/volumes",
      `test -c ${HOST_VIEW}/dev/null && test -d ${HOST_VIEW}/sys/class && echo seen`,
    ].join("; ");
    const { stdout, stderr } = await new Deno.Command("unshare", {
      args: ["--mount", "sh", "-c", script],
      cwd: new URL("..", import.meta.url),
    }).output();
    const [out = "", err = ""] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assert.equal(out, "tmpfs\nseen\n", err);
    assert.match(err, /mounted \/run\/skerry\/host\/dev\n(.*\n)*again\n$/);
  },
});
