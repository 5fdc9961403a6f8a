import assert from "node:assert/strict";
import { AppError } from "../../../core/base/mod.ts";
import type { Runtime } from "../../runtimes/mod.ts";
import { writeAtomically } from "./atomic_writer.ts";
import { LinkPool } from "./link_pool.ts";
import type { Payload, VolumeFile } from "./volume_file.ts";

async function inTemp(fn: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.realPath(await Deno.makeTempDir());
  try {
    await fn(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function payload(files: Record<string, string>, mode = 0o644): Payload {
  return new Map(
    Object.entries(files).map(([path, text]): [string, VolumeFile] => [
      path,
      { content: new TextEncoder().encode(text), mode },
    ]),
  );
}

async function names(dir: string): Promise<string[]> {
  const out: string[] = [];
  for await (const entry of Deno.readDir(dir)) {
    if (!entry.name.startsWith("..")) out.push(entry.name);
  }
  return out.sort();
}

/** A pool whose links are made by a program, as a runtime makes them for the agent. */
function pool(dir: string, made: string[] = []): LinkPool {
  const runtime = {
    makeLinks: async (folder: string, links: ReadonlyMap<string, string>) => {
      for (const [name, target] of links) {
        await new Deno.Command("ln", { args: ["-sfn", target, `${folder}/${name}`] }).output();
        made.push(target);
      }
    },
  };
  return new LinkPool(`${dir}/links`, runtime as unknown as Runtime, new AbortController().signal);
}

Deno.test({
  name: "writeAtomically() shows exactly the payload and swaps it as one, with scoped permissions",
  permissions: { read: ["/tmp"], write: ["/tmp"], run: ["ln"] },
  fn: () =>
    inTemp(async (root) => {
      const dir = `${root}/vol`;
      const made: string[] = [];
      const links = pool(root, made);
      const write = (files: Record<string, string>, mode?: number): Promise<boolean> =>
        writeAtomically(dir, payload(files, mode), { links });
      assert.equal(await write({ a: "1", "sub/b": "2" }, 0o600), true);
      assert.equal(await Deno.readTextFile(`${dir}/sub/b`), "2");
      assert.equal(((await Deno.stat(`${dir}/a`)).mode ?? 0) & 0o777, 0o600);
      const before = await Deno.readLink(`${dir}/..data`);
      assert.equal(await Deno.readLink(`${dir}/a`), "..data/a");
      assert.equal(await write({ a: "1", "sub/b": "2" }, 0o600), false);
      assert.equal(await Deno.readLink(`${dir}/..data`), before);
      assert.equal(await write({ a: "3", c: "4" }), true);
      assert.deepEqual(await names(dir), ["a", "c"]);
      assert.equal(await Deno.readTextFile(`${dir}/a`), "3");
      await assert.rejects(Deno.stat(`${dir}/${before}`), Deno.errors.NotFound);
      assert.equal(await write({}), true);
      assert.deepEqual(await names(dir), []);
      for (let turn = 0; turn < 20; turn++) assert.ok(await write({ a: `${turn}` }));
      const { length } = made;
      assert.equal(length, 8 + 3, `${made}`);
      for (let turn = 0; turn < 20; turn++) await write({ a: `again ${turn}` });
      assert.equal(made.length, length, "links are made once");
    }),
});

Deno.test("writeAtomically() goes on where a crash left off", () =>
  inTemp(async (root) => {
    const dir = `${root}/vol`;
    const links = pool(root);
    await writeAtomically(dir, payload({ a: "1" }), { links });
    await Deno.symlink("nowhere", `${dir}/..data_tmp`);
    await Deno.mkdir(`${dir}/..v1`);
    await Deno.writeTextFile(`${dir}/..v1/half`, "");
    await Deno.remove(`${dir}/a`);
    assert.equal(await writeAtomically(dir, payload({ a: "1" }), { links }), true);
    assert.equal(await Deno.readTextFile(`${dir}/a`), "1");
    assert.equal(await writeAtomically(dir, payload({ a: "2" }), { links }), true);
    assert.equal(await Deno.readTextFile(`${dir}/a`), "2");
    const all = [];
    for await (const { name } of Deno.readDir(dir)) all.push(name);
    assert.deepEqual(all.sort(), ["..data", "..v1", "a"]);
  }));

Deno.test("writeAtomically() refuses paths that leave the volume", () =>
  inTemp(async (dir) => {
    for (const path of ["../x", "/x", "a/../../x", "..data", "", "a//b", "./a", "a\0"]) {
      await assert.rejects(
        writeAtomically(dir, payload({ [path]: "x" })),
        /leaves the volume/,
        path,
      );
    }
    assert.deepEqual(await names(dir), []);
  }));

Deno.test("writeAtomically() swaps file by file where no links can be had, and back", () =>
  inTemp(async (root) => {
    const dir = `${root}/vol`;
    const runtime = {
      makeLinks: () => Promise.reject(new AppError("Unsupported", "no such service")),
    };
    const { signal } = new AbortController();
    const without = new LinkPool(`${root}/none`, runtime as unknown as Runtime, signal);
    assert.ok(await writeAtomically(dir, payload({ a: "1", "s/b": "1" }), { links: without }));
    assert.ok((await Deno.lstat(`${dir}/a`)).isFile);
    const links = pool(root);
    assert.ok(await writeAtomically(dir, payload({ a: "1", "s/b": "2" }), { links }));
    assert.equal(await Deno.readLink(`${dir}/s`), "..data/s");
    assert.equal(await Deno.readTextFile(`${dir}/s/b`), "2");
    assert.ok(await writeAtomically(dir, payload({ a: "3", "s/b": "3" }), { links: without }));
    assert.ok((await Deno.lstat(`${dir}/s`)).isDirectory);
    const all = [];
    for await (const { name } of Deno.readDir(dir)) all.push(name);
    assert.deepEqual(all.sort(), ["a", "s"]);
  }));

Deno.test("LinkPool waits for a runtime that is away, and starts anew when it is full", () =>
  inTemp(async (root) => {
    let away = true;
    const runtime = {
      makeLinks: async (dir: string, links: ReadonlyMap<string, string>) => {
        if (away) throw new AppError("ServiceUnavailable", "away");
        for (const [name, target] of links) await Deno.symlink(target, `${dir}/${name}`);
      },
    };
    const { signal } = new AbortController();
    const links = new LinkPool(`${root}/links`, runtime as unknown as Runtime, signal);
    await assert.rejects(links.ready(["x"]), /away/);
    away = false;
    assert.equal(await links.ready(["x"]), true);
    await links.place("x", `${root}/placed`);
    for (let at = 0; at < 4096; at++) await Deno.writeTextFile(`${root}/links/f${at}`, "");
    assert.equal(await links.ready(["y"]), true);
    const left = [];
    for await (const { name } of Deno.readDir(`${root}/links`)) left.push(name);
    assert.equal(left.length, 1);
    assert.equal(await Deno.readLink(`${root}/placed`), "x");
  }));

Deno.test({
  name: "writeAtomically() swaps file by file where it may make no links",
  permissions: { read: ["/tmp"], write: ["/tmp"] },
  fn: () =>
    inTemp(async (dir) => {
      assert.equal(await writeAtomically(dir, payload({ a: "1", "sub/b": "2" }, 0o600)), true);
      assert.ok((await Deno.lstat(`${dir}/a`)).isFile);
      assert.equal(((await Deno.stat(`${dir}/sub/b`)).mode ?? 0) & 0o777, 0o600);
      assert.equal(await writeAtomically(dir, payload({ a: "1", "sub/b": "2" }, 0o600)), false);
      const before = (await Deno.stat(`${dir}/sub/b`)).ino;
      assert.equal(await writeAtomically(dir, payload({ a: "3", "sub/b": "2" }, 0o600)), true);
      assert.equal((await Deno.stat(`${dir}/sub/b`)).ino, before);
      assert.equal(await writeAtomically(dir, payload({ "a/x": "3", sub: "4" })), true);
      assert.deepEqual(await names(dir), ["a", "sub"]);
      assert.equal(await Deno.readTextFile(`${dir}/a/x`), "3");
      const all = [];
      for await (const entry of Deno.readDir(dir)) all.push(entry.name);
      assert.deepEqual(all.sort(), ["a", "sub"]);
    }),
});
