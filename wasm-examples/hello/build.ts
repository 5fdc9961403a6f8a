/** Builds the example: `deno run -P=tools wasm-examples/hello/build.ts`. */
import { compileWat, type ExampleBuild, writeExample } from "../build_lib.ts";

/** Builds `build/hello.wasm` and `build/hello.yaml`. */
export async function buildHello(): Promise<void> {
  const build: ExampleBuild = {
    folder: new URL("./", import.meta.url),
    name: "hello",
    spec: { triggers: [{ http: {} }], limits: { memory: "1Mi", timeout: "1s" } },
  };
  await writeExample(build, await compileWat(new URL("hello.wat", build.folder)));
}

if (import.meta.main) await buildHello();
