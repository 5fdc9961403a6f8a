import assert from "node:assert/strict";
import { linkArchive } from "./link_archive.ts";

Deno.test("linkArchive() makes what tar unpacks, however long the targets are", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const links = new Map([["a", "..data/a"], ["b", `..data/${"ä".repeat(120)}`]]);
    for (let size = 90; size < 110; size++) links.set(`n${size}`, "x".repeat(size));
    await Deno.writeFile(`${dir}/links.tar`, linkArchive(links));
    const { success, stderr } = await new Deno.Command("tar", {
      args: ["-xf", "links.tar"],
      cwd: dir,
      env: { LC_ALL: "C.UTF-8" },
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    for (const [name, target] of links) assert.equal(await Deno.readLink(`${dir}/${name}`), target);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
