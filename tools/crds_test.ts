import assert from "node:assert/strict";
import { CRD_FOLDER, crdFiles } from "./crds.ts";

Deno.test("charts/skerry/crds holds what the schemas say", async () => {
  const names = (await Array.fromAsync(Deno.readDir(CRD_FOLDER))).map(({ name }) => name).sort();
  const files = crdFiles();
  const help = "run: deno task crds";
  assert.deepEqual(names, [...files.keys()].sort(), help);
  for (const [name, text] of files) {
    assert.equal(
      await Deno.readTextFile(new URL(name, CRD_FOLDER)),
      text,
      `${name} is old; ${help}`,
    );
  }
});
