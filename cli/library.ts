import { libraryPath } from "../core/runnerapi/mod.ts";

/** Where set-up put libwasmtime, or where the user says it is. */
export function foundLibrary(): string {
  return libraryPath({
    os: Deno.build.os,
    arch: Deno.build.arch,
    env: (name) => Deno.env.get(name),
  });
}
