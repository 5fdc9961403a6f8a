import { ensureLibrary } from "../tools/libwasmtime/mod.ts";
import { loadLibrary, watToWasm } from "../runner/mod.ts";

/** What an example's build makes. */
export interface ExampleBuild {
  /** The example's folder. */
  readonly folder: URL;
  /** Name of the function; also of the files in `build/`. */
  readonly name: string;
  /** `spec` of the WasmFunction, without its source. */
  readonly spec: Readonly<Record<string, unknown>>;
}

/**
 * Writes `build/<name>.wasm` and `build/<name>.yaml`: a ConfigMap that holds the module and the
 * WasmFunction that uses it, ready for `kubectl apply -f`.
 */
export async function writeExample(
  build: ExampleBuild,
  wasm: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const { folder, name, spec } = build;
  await Deno.mkdir(new URL("build/", folder), { recursive: true });
  await Deno.writeFile(new URL(`build/${name}.wasm`, folder), wasm);
  const metadata = { name, namespace: "default" };
  const configMap = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { ...metadata, name: `${name}-module` },
    binaryData: { "module.wasm": wasm.toBase64() },
  };
  const fn = {
    apiVersion: "skerry.dev/v1alpha1",
    kind: "WasmFunction",
    metadata,
    spec: { source: { configMapRef: { name: `${name}-module`, key: "module.wasm" } }, ...spec },
  };
  // JSON is YAML: no library is needed to write it.
  const text = [configMap, fn].map((object) => JSON.stringify(object, undefined, 2)).join(
    "\n---\n",
  );
  await Deno.writeTextFile(new URL(`build/${name}.yaml`, folder), `${text}\n`);
}

/** Turns WebAssembly text into a module with libwasmtime, which is fetched when it is absent. */
export async function compileWat(source: URL): Promise<Uint8Array<ArrayBuffer>> {
  // deno-lint-ignore no-console -- progress for the person at the terminal
  const path = await ensureLibrary({ progress: (line) => console.error(line) });
  using library = loadLibrary(path);
  return watToWasm(library, await Deno.readTextFile(source));
}

/**
 * Compiles AssemblyScript with the npm package `assemblyscript`, pinned here. The sources end in
 * `.as`, because other tools would take `.ts` for TypeScript; the compiler knows `.ts` only, so it
 * gets copies.
 */
export async function compileAssemblyScript(folder: URL): Promise<Uint8Array<ArrayBuffer>> {
  const work = await Deno.makeTempDir();
  try {
    for await (const { name } of Deno.readDir(folder)) {
      if (!name.endsWith(".as")) continue;
      await Deno.copyFile(new URL(name, folder), `${work}/${name.replace(/\.as$/, ".ts")}`);
    }
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-prompt", "-A", "--no-config", "--no-lock"],
        ...["npm:assemblyscript@0.28.20/asc", "index.ts", "--outFile", "out.wasm", "-O3"],
        ...["--runtime", "stub", "--use", "abort="],
      ],
      cwd: work,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (code === 0) return await Deno.readFile(`${work}/out.wasm`);
    throw new Error(`asc failed: ${new TextDecoder().decode(stderr)}`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}
