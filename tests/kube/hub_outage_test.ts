import assert from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import {
  containersOf,
  isReady,
  nodeReady,
  podsOf,
  readyPod,
  shellPod,
  Site,
  stepsOf,
} from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { Balancer } from "./balancer.ts";
import { TestCluster } from "./cluster.ts";
import { joinGateway } from "./gateway.ts";

const missing = lacks("kube", "containerd", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

Deno.test({
  name: `the API server is away from the hub for longer than a node's lease lasts${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const cluster = site.hold(await TestCluster.start());
      await cluster.applyCrds();
      const { parts } = cluster;
      // The hub reaches it through here, so that the controllers can see the lease lapse meanwhile.
      let away = false;
      const way = site.hold(
        await Balancer.start(() => away ? [] : [Number(new URL(parts.server).port)]),
      );
      const kubeconfig = `${site.folder}/hub.kubeconfig`;
      const text = await Deno.readTextFile(parts.kubeconfig);
      await Deno.writeTextFile(
        kubeconfig,
        text.replaceAll(new URL(parts.server).host, way.address),
        { mode: 0o600 },
      );
      const containerd = await site.containerd();
      const hub = await site.hubOn(kubeconfig);
      const api = await site.client(parts.kubeconfig);
      let before: Record<string, string> = {};

      await step("a gateway runs pods", async () => {
        await joinGateway(site, { name: "gw1", hub, api, containerd });
        await cluster.untilPodsCanBeMade("default");
        const pods = ["one", "two"].map((name) => shellPod(name, "sleep 1000"));
        await site.apply(parts.kubeconfig, ...pods);
        for (const name of ["one", "two"]) await readyPod(api, name);
        before = containersOf(await podsOf(api));
        assert.equal(Object.keys(before).length, 2);
      });

      await step("its lease lapses: Kubernetes calls node and pods not ready", async () => {
        away = true;
        // This ends what is open; what the hub has seen is of an expired version when it comes back.
        await parts.signal("apiserver", "SIGKILL");
        await until("it is gone", async () => await parts.pid("apiserver") === undefined);
        await parts.start("apiserver");
        await until("the node is lost", async () => await nodeReady(api, "gw1") === "Unknown", 150);
        await until("its pods are not ready", async () =>
          (await podsOf(api)).every((pod) => !isReady(pod)));
      });

      await step("the hub is back: node and pods are Ready again", async () => {
        away = false;
        await until("gw1 is Ready", async () =>
          await nodeReady(api, "gw1") === "True");
        for (const name of ["one", "two"]) await readyPod(api, name);
        await until("new pods may come", async () => {
          const { spec } = await api.request("GET", "/api/v1/nodes/gw1");
          const lost = (spec.taints ?? []).filter(({ key }: { key: string }) =>
            /unreach/.test(key)
          );
          return lost.every(({ effect }: { effect: string }) => effect === "NoExecute");
        });
      });

      await step("nothing was restarted at the edge, by nobody", async () => {
        assert.deepEqual(containersOf(await podsOf(api)), before);
        assert.equal(hub.process.code, undefined, "the hub has lived through it");
        await site.apply(parts.kubeconfig, shellPod("after", "sleep 1000"));
        await readyPod(api, "after");
      });
    }),
});
