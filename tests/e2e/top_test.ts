import { match } from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import { nodeReady, readyPod, shellPod, shellSpec, Site, stepsOf } from "./gateway_lib.ts";
import { until } from "./gateway_process_lib.ts";

const missing = lacks("containerd", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-top";
/** The busy pod may burn 0.3 cores; others may keep the machine so busy that it gets less. */
const BUSY = /^busy +(\d{2}|[12]\d\d|3[0-5]\d)m +\d+Mi *$/m;

Deno.test({
  name: `kubectl top shows what nodes and pods use, at the hub and on the node${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const containerd = await site.containerd();
      // Of a cluster's nodes metrics-server tells, which reads them where tests/kube/gateway_test.ts does.
      const hub = await site.embeddedHub();
      const api = await site.client(hub.kubeconfig);
      const agent = await site.agent(NODE, {
        hub: `127.0.0.1:${hub.nodePort}`,
        token: await site.token(hub, NODE),
        cri: containerd.socket,
        flags: [`--pod-cidr=${containerd.subnet}`],
      });
      await until("node is Ready", async () => await nodeReady(api, NODE) === "True");
      const spec = shellSpec("while :; do :; done") as { containers: Record<string, unknown>[] };
      const containers = spec.containers.map((one) => ({
        ...one,
        resources: { limits: { cpu: "300m" } },
      }));
      await site.apply(hub.kubeconfig, shellPod("busy", "", { containers }));
      await readyPod(api, "busy");
      const top = (kubeconfig: string, ...args: string[]): Promise<string> =>
        site.kubectl(kubeconfig, ["top", ...args]);

      await step("kubectl top pod and node at the hub", async () => {
        match(await top(hub.kubeconfig, "pod"), BUSY);
        match(
          await top(hub.kubeconfig, "pod", "-A", "--containers"),
          /^default +busy +main +\d+m/m,
        );
        match(await top(hub.kubeconfig, "pod", "-l", "app=busy"), BUSY);
        match(
          await top(hub.kubeconfig, "node"),
          /^gw-top +[1-9]\d*m +[1-9]\d*% +[1-9]\d*Mi +\d+% *$/m,
        );
      });

      await step("kubectl top at the node's own API", async () => {
        match(await top(agent.kubeconfig, "pod"), BUSY);
        match(await top(agent.kubeconfig, "node"), /^gw-top +[1-9]\d*m/m);
      });

      await step("a node that is away is left out", async () => {
        await agent.process.kill();
        await until("the list is empty", async () => {
          const { items } = await api.request("GET", "/apis/metrics.k8s.io/v1beta1/nodes");
          return items.length === 0;
        });
        const { err } = await site.tryKubectl(hub.kubeconfig, ["top", "pod", "busy"]);
        match(err, /pods\.metrics\.k8s\.io "busy" not found: /);
      });
    }),
});
