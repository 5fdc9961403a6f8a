import { documented } from "./rules/documented.ts";
import { doors } from "./rules/doors.ts";
import { ffi } from "./rules/ffi.ts";
import { guardedImports } from "./rules/guarded_imports.ts";
import { mainFiles } from "./rules/main_files.ts";
import { plainImports } from "./rules/plain_imports.ts";
import { shape } from "./rules/shape.ts";
import { sides } from "./rules/sides.ts";
import { time } from "./rules/time.ts";

/** The project's own lint rules; AGENTS.md lists them in words. */
const plugin: Deno.lint.Plugin = {
  name: "skerry",
  rules: {
    "sides": sides,
    "doors": doors,
    "guarded-imports": guardedImports,
    "plain-imports": plainImports,
    "main-files": mainFiles,
    "shape": shape,
    "ffi": ffi,
    "time": time,
    "documented": documented,
  },
};

export default plugin;
