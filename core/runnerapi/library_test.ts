import assert from "node:assert/strict";
import { libraryPath, libraryPinFor } from "./library.ts";

const env = (values: Record<string, string>) => (name: string): string | undefined => values[name];

Deno.test("libraryPath() takes the named library, else the cache folder of the user", () => {
  const linux = { os: "linux", arch: "x86_64" };
  assert.equal(libraryPath({ ...linux, env: env({ SKERRY_LIBWASMTIME: "/x.so" }) }), "/x.so");
  const { version } = libraryPinFor(linux);
  const tail = `skerry/libwasmtime/${version}-x86_64/libwasmtime.so`;
  assert.equal(libraryPath({ ...linux, env: env({ XDG_CACHE_HOME: "/c" }) }), `/c/${tail}`);
  assert.equal(libraryPath({ ...linux, env: env({ HOME: "/h" }) }), `/h/.cache/${tail}`);
});

Deno.test("libraryPinFor() says what is missing on another machine", () => {
  assert.equal(libraryPinFor({ os: "linux", arch: "aarch64" }).arch, "aarch64");
  assert.throws(() => libraryPinFor({ os: "darwin", arch: "aarch64" }), /need Linux .* darwin/);
  assert.throws(() => libraryPinFor({ os: "linux", arch: "arm" }), /x86_64 or aarch64/);
});
