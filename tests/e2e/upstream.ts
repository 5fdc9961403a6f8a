/** Where the API is that tests use: the one place that decides it. */
import { readEndpoint } from "../../core/kube/mod.ts";

/**
 * The kubeconfig of the cluster that tests run on, or `undefined` when they run on the embedded hub
 * and on APIs of their own process. `deno task test` sets `KUBECONFIG` for each suite: to a cluster
 * that it starts for the run, or to the one it was itself started with, or to nothing.
 */
export function upstreamKubeconfig(): string | undefined {
  return Deno.env.get("KUBECONFIG") || undefined;
}

/**
 * The address of this machine at which an API server calls kubelets. It may not be a loopback one:
 * API servers refuse to be a proxy for those.
 *
 * @throws {Error} when this machine has no other
 */
export async function kubeletAddress(kubeconfig: string): Promise<string> {
  const { hostname, port } = new URL((await readEndpoint(kubeconfig)).server);
  using towards = await Deno.connect({ hostname, port: Number(port) || 443 });
  const { hostname: own } = towards.localAddr;
  if (!/^(127\.|::1$)/.test(own)) return own;
  const other = Deno.networkInterfaces().find(({ family, address }) =>
    family === "IPv4" && !/^(127\.|169\.254\.)/.test(address)
  );
  if (other) return other.address;
  throw new Error("This machine has loopback addresses only: API servers call no kubelet at those");
}
