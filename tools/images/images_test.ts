import assert from "node:assert/strict";
import { dockerArchive } from "./docker_archive.ts";
import { type TarEntry, writeTar } from "./tar.ts";

async function tar(archive: Uint8Array, ...args: string[]): Promise<string> {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeFile(file, archive);
    const command = new Deno.Command("tar", { args: [...args, "-f", file] });
    const { success, stdout, stderr } = await command.output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  } finally {
    await Deno.remove(file);
  }
}

const data = new TextEncoder().encode("hello\n");

Deno.test("writeTar() writes what tar reads", async () => {
  const archive = writeTar([
    { kind: "directory", path: "d/", mode: 0o755 },
    { kind: "file", path: "d/f", mode: 0o600, data },
    { kind: "link", path: "d/g", target: "d/f" },
  ]);
  assert.equal(await tar(archive, "-t"), "d/\nd/f\nd/g\n");
  assert.equal(await tar(archive, "-x", "-O", "d/f"), "hello\n");
  assert.match(await tar(archive, "-tv", "d/f"), /^-rw------- 0\/0 +6 1970-01-01/);
});

Deno.test("writeTar() refuses a path that does not fit", () => {
  const entry: TarEntry = { kind: "directory", path: "x".repeat(101), mode: 0o755 };
  assert.throws(() => writeTar([entry]), RangeError);
});

Deno.test("dockerArchive() names every image and gives the same bytes each time", async () => {
  const layer = writeTar([{ kind: "file", path: "f", mode: 0o644, data }]);
  const images = [{ ref: "a.test/a:1", cmd: ["/f"] }, { ref: "a.test/b:1", user: "5" }];
  const archive = await dockerArchive(layer, images, "amd64");
  const manifest = JSON.parse(await tar(archive, "-x", "-O", "manifest.json"));
  assert.deepEqual(manifest.map((entry: { RepoTags: string[] }) => entry.RepoTags), [
    ["a.test/a:1"],
    ["a.test/b:1"],
  ]);
  const config = JSON.parse(await tar(archive, "-x", "-O", manifest[1].Config));
  assert.equal(config.config.User, "5");
  assert.deepEqual(await dockerArchive(layer, images, "amd64"), archive);
});
