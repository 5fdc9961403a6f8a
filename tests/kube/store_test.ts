import { systemClock, systemRandom } from "../../core/base/mod.ts";
import { RESOURCES } from "../../core/api/mod.ts";
import { KubeClient, readEndpoint, RemoteStore } from "../../core/kube/mod.ts";
import { storeConformance, type StoreFixture } from "../conformance/store.ts";
import { sample } from "../conformance/store_helpers.ts";
import { TestCluster } from "./cluster.ts";

const { configmaps, deployments, namespaces, nodes, pods, secrets } = RESOURCES;
let cluster: TestCluster;

Deno.test.beforeAll(async () => {
  cluster = await TestCluster.start();
  const { store } = cluster;
  for (const name of ["a", "b"]) {
    await store.create(namespaces, sample(namespaces, name));
    await cluster.untilPodsCanBeMade(name);
  }
  // They would act on what the rules look at.
  await cluster.parts.stop("scheduler");
  await cluster.parts.stop("controller-manager");
});

Deno.test.afterAll(async () => await cluster[Symbol.asyncDispose]());

async function fixture(): Promise<StoreFixture> {
  const endpoint = await readEndpoint(cluster.parts.kubeconfig);
  const client = new KubeClient({ endpoint, clock: systemClock, random: systemRandom });
  const store = new RemoteStore({ client, clock: systemClock, random: systemRandom });
  return {
    store,
    async [Symbol.asyncDispose]() {
      for (const resource of [pods, deployments, secrets, configmaps, nodes]) {
        for (
          const { metadata: { name, namespace, finalizers } } of (await store.list(resource)).items
        ) {
          if (resource.namespaced && namespace !== "a" && namespace !== "b") continue;
          if (name === "kube-root-ca.crt") continue;
          const ref = { resource, name, ...(namespace ? { namespace } : {}) };
          if (finalizers) {
            await store.update(ref, (object) => {
              delete object.metadata.finalizers;
              return object;
            });
          }
          await store.delete(ref, { gracePeriodSeconds: 0 }).catch(
            () => {/* it was being deleted */},
          );
        }
      }
      client[Symbol.dispose]();
    },
  };
}

storeConformance("RemoteStore on a real API server", fixture);
