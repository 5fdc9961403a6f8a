// The hub as a pod of an IPv6 cluster: API server, hub, gateway and kubelet reach each other by IPv6.
import assert from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import { nodeReady, Site } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { Balancer } from "./balancer.ts";
import { ACCOUNT, applyRights, renderChart, tokenOf } from "./chart.ts";
import { TestCluster } from "./cluster.ts";
import { podCommand } from "./pod_process.ts";

const missing = lacks("kube", "helm", "kubectl", "netns");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const VALUES = ["--set=ipFamily=IPv6", "--set=webhook.enabled=false"];
const LOOPBACK = "::1";

Deno.test({
  name: `a hub with IPv6 addresses alone has its gateway and serves its kubelet${skipped}`,
  ignore: missing !== undefined,
  fn: () =>
    Site.run(async (site) => {
      const cluster = site.hold(await TestCluster.start());
      await cluster.applyCrds();
      await applyRights(cluster, VALUES);
      const { kubeconfig } = cluster.parts;
      const api = await site.client(kubeconfig);
      const port = Number(new URL(cluster.client.server).port);
      const server = site.hold(await Balancer.start(() => [port], LOOPBACK));
      const [deployment] = await renderChart([
        "--show-only=templates/deployment.yaml",
        ...VALUES,
      ]);
      const { spec } = deployment?.["spec"].template;
      const process = site.start(
        "hub",
        await podCommand(spec, {
          server: new URL(`https://${server.address}`),
          podIP: LOOPBACK,
          folder: `${site.folder}/pod`,
          token: await tokenOf(cluster, ACCOUNT),
          ca: await Deno.readTextFile(cluster.ca),
        }),
      );
      await process.prints(/"ready":/);
      await until("its readiness probe is answered", async () => {
        const readiness = await fetch(`http://[${LOOPBACK}]:9091/readyz`);
        const text = await readiness.text();
        if (!readiness.ok) throw new Error(text);
        return true;
      });
      const nodePort = 10_000;
      const token = await site.token({ process, nodePort, kubeconfig, embedded: false }, "gw1");
      const agent = await site.agent("gw1", { hub: `[${LOOPBACK}]:${nodePort}`, token });
      await until("gw1 is Ready", async () => await nodeReady(api, "gw1") === "True");
      const { status } = await api.request("GET", "/api/v1/nodes/gw1");
      assert.deepEqual(status.addresses, [{ type: "InternalIP", address: LOOPBACK }]);
      const host = `[${LOOPBACK}]:${status.daemonEndpoints.kubeletEndpoint.Port}`;
      const stats = await until(
        "its kubelet answers",
        async () => JSON.parse(await cluster.askKubelet(host, "/stats/summary")),
      );
      assert.equal(stats.node.nodeName, "gw1");
      assert.match(agent.process.output, /link is up/);
      process.signal("SIGTERM");
      assert.equal(await process.exit(60), 0);
    }),
});
