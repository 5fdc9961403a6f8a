import { AppError, isAppError, systemClock, systemRandom } from "../core/base/mod.ts";
import { KubeClient, type KubeEndpoint, readEndpoint } from "../core/kube/mod.ts";
import { STATE_ROOT } from "../core/parts/mod.ts";

/** The kubeconfig that the hub writes for its administrator, below the state folder. */
export const ADMIN_KUBECONFIG = `${STATE_ROOT}/hub/admin.kubeconfig`;

/** The option that every verb has which talks to the hub. */
export const KUBECONFIG_OPTION = {
  kubeconfig: {
    help: `kubeconfig of the hub's API (default: $KUBECONFIG, else ${ADMIN_KUBECONFIG})`,
    value: "FILE",
    fallback: "",
  },
} as const;

/**
 * Which kubeconfig counts: the one given, else the first of `KUBECONFIG` that exists, else the
 * administrator's. When none of `KUBECONFIG` exists, its first, so that the error names it.
 */
export function chooseKubeconfig(
  given: string,
  environment: string | undefined,
  exists: (path: string) => boolean,
): string {
  if (given !== "") return given;
  const paths = (environment ?? "").split(":").filter((path) => path !== "");
  return paths.find(exists) ?? paths[0] ?? ADMIN_KUBECONFIG;
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
 * @throws {AppError} NotFound, Invalid, Unsupported
 */
export async function openClient(kubeconfig: string): Promise<ApiClient> {
  const path = kubeconfig || chooseKubeconfig("", Deno.env.get("KUBECONFIG"), isFile);
  const endpoint = await endpointOf(path);
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

async function endpointOf(path: string): Promise<KubeEndpoint> {
  try {
    return await readEndpoint(path);
  } catch (error) {
    if (!isAppError(error, "NotFound")) throw error;
    throw new AppError(
      "NotFound",
      `${error.message}: start the hub first, or name another kubeconfig with --kubeconfig`,
    );
  }
}
