/**
 * Builds the device plugin of `plugin/` with the machine's Go, into a cache outside this tree; its
 * modules come from the Go module proxy, by the hashes of `go.sum`. Quick when it is there already.
 *
 *     deno run -A tools/deviceplugin/build.ts
 */
import { sha256Hex } from "../../core/pki/mod.ts";

const SOURCE = new URL("plugin/", import.meta.url).pathname;
const FILES = ["go.mod", "go.sum", "main.go"];

/** Returns the path of the program. @throws {Error} when it cannot be built, with Go's own words */
export async function buildDevicePlugin(cache: string = defaultCache()): Promise<string> {
  const texts = await Promise.all(FILES.map((name) => Deno.readTextFile(`${SOURCE}${name}`)));
  const key = (await sha256Hex(new TextEncoder().encode(texts.join("\0")))).slice(0, 16);
  const path = `${cache}/${key}/plugin`;
  if (await Deno.stat(path).catch(() => undefined)) return path;
  await Deno.mkdir(`${cache}/${key}`, { recursive: true });
  const fresh = `${path}.${Deno.pid}`;
  const { success, stderr } = await run(["build", "-trimpath", "-buildvcs=false", "-o", fresh]);
  if (!success) throw new Error(`go build: ${new TextDecoder().decode(stderr).trim()}`);
  await Deno.rename(fresh, path);
  return path;
}

async function run(args: readonly string[]): Promise<Deno.CommandOutput> {
  try {
    return await new Deno.Command("go", {
      args: [...args, "."],
      cwd: SOURCE,
      env: { CGO_ENABLED: "0", GOFLAGS: "-mod=readonly" },
      stdin: "null",
    }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error("Go is not installed (1.24 or newer is needed to build the device plugin)");
  }
}

function defaultCache(): string {
  const base = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/tmp"}/.cache`;
  return `${base}/skerry/deviceplugin`;
}

if (import.meta.main) {
  try {
    // deno-lint-ignore no-console -- tells the person what happened
    console.log(await buildDevicePlugin());
  } catch (error) {
    // deno-lint-ignore no-console -- tells the person what to do
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
