import { rejects, strictEqual, throws } from "node:assert/strict";
import { openOut } from "./token_file.ts";

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("openOut() says where nothing can be written, before there is a token", () =>
  withFolder(async (folder) => {
    throws(
      () => openOut(`${folder}/no/token`),
      new RegExp(
        `--out ${folder}/no/token: there is no folder ${folder}/no: .*; no token was made`,
      ),
    );
    throws(() => openOut(folder), /it is a folder: name a file in it; no token was made/);
    await Deno.writeTextFile(`${folder}/file`, "");
    throws(() => openOut(`${folder}/file/token`), /Not a directory.*: name another file; no token/);
  }));

Deno.test("openOut() gives the token a file for its owner alone, also one that is there", () =>
  withFolder(async (folder) => {
    const old = `${folder}/old`;
    await Deno.writeTextFile(old, "a longer text than the token is", { mode: 0o644 });
    for (const path of [old, `${folder}/new`]) {
      {
        using file = openOut(path);
        await file.write("skerry1.a.b.c");
      }
      strictEqual(await Deno.readTextFile(path), "skerry1.a.b.c\n");
      strictEqual(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
    }
  }));

Deno.test("openOut() leaves everything as it was when no token comes", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/old`, "kept");
    openOut(`${folder}/old`)[Symbol.dispose]();
    strictEqual(await Deno.readTextFile(`${folder}/old`), "kept");
    openOut(`${folder}/new`)[Symbol.dispose]();
    await rejects(Deno.stat(`${folder}/new`), Deno.errors.NotFound);
  }));
