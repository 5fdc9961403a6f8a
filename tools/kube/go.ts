/** Programs of Go modules, built once a machine into a cache outside this tree. */
import { sha256Hex } from "../../core/pki/mod.ts";

/** What {@linkcode cachedBuild} builds. */
export interface GoModule {
  /** Folder of `go.mod` and `go.sum`, which pin all of it. */
  readonly source: string;
  /** The module whose version names the folder in the cache, e.g. `k8s.io/kubernetes`. */
  readonly main: string;
  /** Begins the name of that folder. */
  readonly prefix?: string;
  /** Builds into `folder` with {@linkcode go}. */
  readonly build: (folder: string, version: string) => Promise<void>;
}

/** Returns the folder with what was built, and the version of it; quick when it is there already. */
export async function cachedBuild(
  { source, main, prefix = "", build }: GoModule,
  cache: string,
): Promise<{ readonly folder: string; readonly version: string }> {
  const texts = await Promise.all(
    ["go.mod", "go.sum"].map((name) => Deno.readTextFile(`${source}${name}`)),
  );
  const version = new RegExp(`^(?:require)?\\s*${RegExp.escape(main)} (v\\S+)`, "m")
    .exec(texts[0] ?? "")?.[1];
  if (version === undefined) throw new Error(`${source}go.mod names no version of ${main}`);
  const key = (await sha256Hex(new TextEncoder().encode(texts.join("\0")))).slice(0, 16);
  const folder = `${cache}/${prefix}${version}-${key}`;
  if (await isThere(folder)) return { folder, version };
  const fresh = `${folder}.${Deno.pid}`;
  await Deno.mkdir(fresh, { recursive: true });
  try {
    await build(fresh, version);
    await Deno.rename(fresh, folder).catch(async (error) => {
      // Another process has built the same in the meantime.
      if (!await isThere(folder)) throw error;
    });
  } finally {
    await Deno.remove(fresh, { recursive: true }).catch(() => {/* it has its name now */});
  }
  return { folder, version };
}

async function isThere(folder: string): Promise<boolean> {
  return await Deno.stat(folder).then(() => true, () => false);
}

/** `go build` in the module of `source`. @throws {Error} with Go's own words */
export async function goBuild(source: string, args: readonly string[]): Promise<void> {
  try {
    const { success, stderr } = await new Deno.Command("go", {
      args: ["build", "-trimpath", ...args],
      cwd: source,
      env: { CGO_ENABLED: "0", GOFLAGS: "-mod=readonly -buildvcs=false" },
      stdin: "null",
    }).output();
    if (success) return;
    throw new Error(`go build: ${new TextDecoder().decode(stderr).trim().slice(-2000)}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error("Go is not installed (1.26 or newer is needed to build Kubernetes for tests)");
  }
}

/** Where what was built is kept. */
export function defaultCache(): string {
  const base = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/tmp"}/.cache`;
  return `${base}/skerry/kube`;
}
