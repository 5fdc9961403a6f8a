import { AppError, isAppError, systemClock, systemRandom } from "../core/base/mod.ts";
import { KubeClient, type KubeEndpoint, readEndpoint } from "../core/kube/mod.ts";
import { STATE_ROOT } from "../core/parts/mod.ts";

/** The kubeconfig that the hub writes for its administrator, below the state folder. */
export const ADMIN_KUBECONFIG = `${STATE_ROOT}/hub/admin.kubeconfig`;

/** The option that every verb has which talks to the hub. */
export const KUBECONFIG_OPTION = {
  kubeconfig: {
    help: `kubeconfig of the hub's API (default: the one file of $KUBECONFIG, else ` +
      `${ADMIN_KUBECONFIG})`,
    value: "FILE",
    fallback: "",
  },
} as const;

/**
 * Which kubeconfig counts: the one given, else the one of `KUBECONFIG` that exists, else the
 * administrator's. When none of `KUBECONFIG` exists, its first, so that the error names it.
 *
 * @throws {AppError} BadRequest when several of `KUBECONFIG` exist: kubectl would merge them, and what
 * one of them says alone may be another cluster
 */
export function chooseKubeconfig(
  given: string,
  environment: string | undefined,
  exists: (path: string) => boolean,
): string {
  if (given !== "") return given;
  const paths = (environment ?? "").split(":").filter((path) => path !== "");
  const [found, ...more] = new Set(paths.filter(exists));
  if (more.length > 0) {
    throw new AppError(
      "BadRequest",
      `KUBECONFIG names several files, ${
        [found, ...more].join(" and ")
      }, and this does not merge ` +
        "them as kubectl does: say which one is meant with --kubeconfig FILE, or write one file: " +
        "kubectl config view --flatten --minify > FILE",
    );
  }
  return found ?? paths[0] ?? ADMIN_KUBECONFIG;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** A client of the API that a kubeconfig names: the hub's own, or a cluster's. */
export interface ApiClient extends Disposable {
  /** What the kubeconfig says. */
  readonly endpoint: KubeEndpoint;
  readonly kube: KubeClient;
  /** Sends a request. @throws {AppError} with the server's own message */
  request(
    method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
    path: string,
    body?: unknown,
    contentType?: string,
    // deno-lint-ignore no-explicit-any -- answers of any kind
  ): Promise<any>;
}

/**
 * A client for the current context of a kubeconfig. `""` is the one that
 * {@linkcode chooseKubeconfig} finds.
 *
 * @param missing what to do when there is no such file
 * @throws {AppError} NotFound, Invalid, Unsupported
 */
export async function openClient(
  kubeconfig: string,
  missing = "start the hub first, or name another kubeconfig with --kubeconfig",
): Promise<ApiClient> {
  const path = kubeconfig || chooseKubeconfig("", Deno.env.get("KUBECONFIG"), isFile);
  const endpoint = await endpointOf(path, missing);
  const kube = new KubeClient({ endpoint, clock: systemClock, random: systemRandom });
  return {
    endpoint,
    kube,
    async request(method, url, body, type) {
      return await kube.call({
        method,
        path: url,
        ...(body === undefined ? {} : { body }),
        ...(type === undefined ? {} : { type }),
      });
    },
    [Symbol.dispose]: () => kube[Symbol.dispose](),
  };
}

/**
 * Whether a client speaks with a hub that is its own API, and not with the API server of a cluster.
 *
 * @throws {AppError} as {@linkcode ApiClient.request}
 */
export async function speaksWithHub(client: ApiClient): Promise<boolean> {
  const { gitVersion } = await client.request("GET", "/version");
  return String(gitVersion).includes("skerry");
}

async function endpointOf(path: string, missing: string): Promise<KubeEndpoint> {
  try {
    return await readEndpoint(path);
  } catch (error) {
    if (!isAppError(error, "NotFound")) throw error;
    throw new AppError("NotFound", `${error.message}: ${missing}`);
  }
}
