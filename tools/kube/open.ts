import { systemClock, systemRandom } from "../../core/base/mod.ts";
import { KubeClient, readEndpoint, RemoteStore } from "../../core/kube/mod.ts";

/** A client of a cluster, and a store on it. */
export interface OpenCluster extends AsyncDisposable {
  readonly client: KubeClient;
  readonly store: RemoteStore;
}

/** Opens the cluster that a kubeconfig names. @throws {AppError} NotFound, Invalid, Unsupported */
export async function openCluster(kubeconfig: string): Promise<OpenCluster> {
  const [clock, random] = [systemClock, systemRandom];
  const client = new KubeClient({ endpoint: await readEndpoint(kubeconfig), clock, random });
  return {
    client,
    store: new RemoteStore({ client, clock, random }),
    [Symbol.asyncDispose]: () => Promise.resolve(client[Symbol.dispose]()),
  };
}
