/**
 * Builds etcd, Kubernetes' server programs and kubectl from the Go modules that `modules/` pins, into
 * a cache outside this tree; quick when they are there already. The first build takes some 6 minutes
 * of two cores and 3 GiB of disk.
 *
 *     deno run -A tools/kube/build.ts
 */
import { sha256Hex } from "../../core/pki/mod.ts";

const SOURCE = new URL("modules/", import.meta.url).pathname;
const ETCD = "go.etcd.io/etcd/server/v3";
const KUBERNETES = [
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubectl",
] as const;

/** Paths of the programs of a control plane. */
export interface KubePrograms {
  readonly etcd: string;
  readonly apiserver: string;
  readonly controllerManager: string;
  readonly scheduler: string;
  readonly kubectl: string;
  /** Version of Kubernetes, e.g. `v1.36.3`. */
  readonly version: string;
}

/** Returns the programs. @throws {Error} when they cannot be built, with Go's own words */
export async function buildKube(cache: string = defaultCache()): Promise<KubePrograms> {
  const texts = await Promise.all(
    ["go.mod", "go.sum"].map((name) => Deno.readTextFile(`${SOURCE}${name}`)),
  );
  const version = /^\s*k8s\.io\/kubernetes (v\S+)/m.exec(texts[0] ?? "")?.[1];
  if (version === undefined) {
    throw new Error(`${SOURCE}go.mod names no version of k8s.io/kubernetes`);
  }
  const key = (await sha256Hex(new TextEncoder().encode(texts.join("\0")))).slice(0, 16);
  const folder = `${cache}/${version}-${key}`;
  const programs = programsIn(folder, version);
  if (await isThere(folder)) return programs;
  const fresh = `${folder}.${Deno.pid}`;
  await Deno.mkdir(fresh, { recursive: true });
  try {
    await go([
      "build",
      ...ldflags(version),
      "-o",
      fresh,
      ...KUBERNETES.map((name) => `k8s.io/kubernetes/cmd/${name}`),
    ]);
    await go(["build", "-ldflags=-s -w", "-o", `${fresh}/etcd`, ETCD]);
    await Deno.rename(fresh, folder).catch(async (error) => {
      // Another process has built the same in the meantime.
      if (!await isThere(folder)) throw error;
    });
  } finally {
    await Deno.remove(fresh, { recursive: true }).catch(() => {/* it has its name now */});
  }
  return programs;
}

function programsIn(folder: string, version: string): KubePrograms {
  return {
    etcd: `${folder}/etcd`,
    apiserver: `${folder}/kube-apiserver`,
    controllerManager: `${folder}/kube-controller-manager`,
    scheduler: `${folder}/kube-scheduler`,
    kubectl: `${folder}/kubectl`,
    version,
  };
}

async function isThere(folder: string): Promise<boolean> {
  return await Deno.stat(`${folder}/etcd`).then(() => true, () => false);
}

/** Without these the server calls itself v0.0.0, which clients check. */
function ldflags(version: string): string[] {
  const [major = "", minor = ""] = version.slice(1).split(".");
  const set = { gitVersion: version, gitMajor: major, gitMinor: minor, gitTreeState: "clean" };
  const defines = Object.entries(set)
    .map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`);
  return [`-ldflags=-s -w ${defines.join(" ")}`];
}

async function go(args: readonly string[]): Promise<void> {
  const [verb = "", ...rest] = args;
  try {
    const { success, stderr } = await new Deno.Command("go", {
      args: [verb, "-trimpath", ...rest],
      cwd: SOURCE,
      env: { CGO_ENABLED: "0", GOFLAGS: "-mod=readonly -buildvcs=false" },
      stdin: "null",
    }).output();
    if (success) return;
    throw new Error(`go ${verb}: ${new TextDecoder().decode(stderr).trim().slice(-2000)}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error("Go is not installed (1.26 or newer is needed to build Kubernetes for tests)");
  }
}

function defaultCache(): string {
  const base = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/tmp"}/.cache`;
  return `${base}/skerry/kube`;
}

if (import.meta.main) {
  try {
    // deno-lint-ignore no-console -- tells the person what happened
    console.log(await buildKube());
  } catch (error) {
    // deno-lint-ignore no-console -- tells the person what to do
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
