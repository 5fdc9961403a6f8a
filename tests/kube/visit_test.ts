// The tests' own manners: what they do to a cluster that is not theirs.
import assert from "node:assert/strict";
import { type KubeObject, RESOURCE_LIST, RESOURCES } from "../../core/api/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { prepareCluster, visitCluster } from "../../tools/kube/mod.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { TestCluster } from "./cluster.ts";

const missing = lacks("kube");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const { configmaps, namespaces, nodes, nodegroups } = RESOURCES;

function named(name: string, rest: object = {}): KubeObject {
  return { apiVersion: "v1", kind: "", metadata: { name, namespace: "default", ...rest } };
}

Deno.test({
  name: `a visit leaves a cluster as it was, and one that is in use is refused${skipped}`,
  ignore: missing !== undefined,
  fn: async (t) => {
    await using cluster = await TestCluster.start();
    const { store } = cluster;
    const { kubeconfig } = cluster.parts;
    const names = async (resource: typeof RESOURCE_LIST[number]): Promise<string[]> =>
      (await store.list(resource)).items.map(({ metadata }) => metadata.name);
    const before = await names(namespaces);

    await t.step("what a test made is gone, what waits for somebody too", async () => {
      {
        await using _visit = await visitCluster(kubeconfig);
        await store.create(configmaps, named("a"));
        await store.create(configmaps, named("held", { finalizers: ["example.com/nobody"] }));
        await store.create(nodes, { ...named("gw"), metadata: { name: "gw" } });
        await store.create(namespaces, { ...named("tmp"), metadata: { name: "tmp" } });
        await store.create(nodegroups, { ...named("g"), metadata: { name: "g" }, spec: {} });
      }
      const left = (await store.list(configmaps, { namespace: "default" })).items;
      assert.deepEqual(left.map(({ metadata }) => metadata.name), ["kube-root-ca.crt"]);
      assert.deepEqual(await names(nodes), []);
      await until(
        "namespaces have ended",
        async () => `${await names(namespaces)}` === `${before}`,
      );
      await until(
        "the CRDs have gone as well",
        () => names(nodegroups).then(() => false, (error) => /404/.test(String(error))),
      );
    });

    await t.step("what was made ready for many visits stays between them", async () => {
      await using _ready = await prepareCluster(kubeconfig);
      for (let round = 0; round < 2; round++) {
        await using _visit = await visitCluster(kubeconfig);
        await store.create(configmaps, named("a"));
      }
      assert.deepEqual(await names(nodegroups), []);
      assert.ok((await names(namespaces)).includes("skerry-system"));
    });
    await until("namespaces have ended", async () => `${await names(namespaces)}` === `${before}`);

    await t.step("objects in default, open nodes and Skerry itself are in the way", async () => {
      const refused = async (why: RegExp): Promise<void> => {
        await assert.rejects(visitCluster(kubeconfig), why);
      };
      await store.create(configmaps, named("mine"));
      await refused(/ConfigMap mine is in the namespace default/);
      await store.delete({ resource: configmaps, namespace: "default", name: "mine" });
      await store.create(nodes, { ...named("open"), metadata: { name: "open" } });
      // Its taint for not being ready comes with it; one that is ready has none.
      await store.update({ resource: nodes, name: "open" }, (node) => ({ ...node, spec: {} }));
      await store.update({ resource: nodes, name: "open" }, (node) => ({
        ...node,
        status: { conditions: [{ type: "Ready", status: "True" }] },
      }), { subresource: "status" });
      await until("it is open", async () => {
        const { items } = await store.list(nodes);
        return items[0]?.["spec"]?.taints === undefined;
      });
      await refused(/node open takes pods/);
      await store.delete({ resource: nodes, name: "open" });
      const system = { ...named(""), metadata: { name: "skerry-system" } };
      await store.create(namespaces, system);
      await refused(/skerry-system is there, so Skerry is installed/);
      assert.ok((await names(namespaces)).includes("skerry-system"));
    });
  },
});
