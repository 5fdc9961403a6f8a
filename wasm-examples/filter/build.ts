/** Builds the example: `deno run -P=tools wasm-examples/filter/build.ts`. */
import { compileAssemblyScript, type ExampleBuild, writeExample } from "../build_lib.ts";

/** Builds `build/filter.wasm` and `build/filter.yaml`. */
export async function buildFilter(): Promise<void> {
  const build: ExampleBuild = {
    folder: new URL("./", import.meta.url),
    name: "filter",
    spec: {
      triggers: [{ http: { path: "/filter", maxBodyBytes: "256Ki" } }],
      env: [{ name: "THRESHOLD", value: "30" }],
      limits: { memory: "8Mi", timeout: "2s" },
    },
  };
  await writeExample(build, await compileAssemblyScript(new URL("assembly/", build.folder)));
}

if (import.meta.main) await buildFilter();
