/** Builds the example: `deno run -P=tools wasm-examples/wasi-command/build.ts`. */
import { compileWat, type ExampleBuild, writeExample } from "../build_lib.ts";

/** Builds `build/upper.wasm` and `build/upper.yaml`. */
export async function buildWasiCommand(): Promise<void> {
  const build: ExampleBuild = {
    folder: new URL("./", import.meta.url),
    name: "upper",
    spec: {
      abi: "wasi-command",
      triggers: [{ http: { path: "/upper", methods: ["POST"], maxBodyBytes: "64Ki" } }],
      limits: { memory: "1Mi", timeout: "1s", outputBytes: "128Ki" },
    },
  };
  await writeExample(build, await compileWat(new URL("upper.wat", build.folder)));
}

if (import.meta.main) await buildWasiCommand();
