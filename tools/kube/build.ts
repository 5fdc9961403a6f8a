/**
 * Builds etcd, Kubernetes' server programs and kubectl from the Go modules that `kubernetes/` pins,
 * and the metrics-server of `metrics-server/`, into a cache outside this tree; quick when they are
 * there already. The first build takes some 11 minutes of two cores and 4 GiB of disk.
 *
 *     deno run -A tools/kube/build.ts
 */
import { cachedBuild, defaultCache, goBuild } from "./go.ts";

const KUBERNETES_MODULE = new URL("kubernetes/", import.meta.url).pathname;
/** A module of its own: it needs newer versions of what Kubernetes is built with. */
const METRICS_SERVER_MODULE = new URL("metrics-server/", import.meta.url).pathname;
const ETCD = "go.etcd.io/etcd/server/v3";
const METRICS_SERVER = "sigs.k8s.io/metrics-server";
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
  const source = KUBERNETES_MODULE;
  const { folder, version } = await cachedBuild({
    source,
    main: "k8s.io/kubernetes",
    build: async (into, version) => {
      const commands = KUBERNETES.map((name) => `k8s.io/kubernetes/cmd/${name}`);
      await goBuild(source, [ldflags(version), "-o", into, ...commands]);
      await goBuild(source, ["-ldflags=-s -w", "-o", `${into}/etcd`, ETCD]);
    },
  }, cache);
  return {
    etcd: `${folder}/etcd`,
    apiserver: `${folder}/kube-apiserver`,
    controllerManager: `${folder}/kube-controller-manager`,
    scheduler: `${folder}/kube-scheduler`,
    kubectl: `${folder}/kubectl`,
    version,
  };
}

/** Returns the path of a metrics-server. @throws {Error} as {@linkcode buildKube} */
export async function buildMetricsServer(cache: string = defaultCache()): Promise<string> {
  const source = METRICS_SERVER_MODULE;
  const { folder } = await cachedBuild({
    source,
    main: METRICS_SERVER,
    prefix: "metrics-server-",
    build: (into) =>
      goBuild(source, ["-ldflags=-s -w", "-o", into, `${METRICS_SERVER}/cmd/metrics-server`]),
  }, cache);
  return `${folder}/metrics-server`;
}

/** Without these the server calls itself v0.0.0, which clients check. */
function ldflags(version: string): string {
  const [major = "", minor = ""] = version.slice(1).split(".");
  const set = { gitVersion: version, gitMajor: major, gitMinor: minor, gitTreeState: "clean" };
  const defines = Object.entries(set)
    .map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`);
  return `-ldflags=-s -w ${defines.join(" ")}`;
}

if (import.meta.main) {
  try {
    // deno-lint-ignore no-console -- tells the person what happened
    console.log(await buildKube(), await buildMetricsServer());
  } catch (error) {
    // deno-lint-ignore no-console -- tells the person what to do
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
