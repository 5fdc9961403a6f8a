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
      /** Waits until `kubectl top` says what it is to say: what has just started has no usage yet. */
      const tops = async (want: RegExp, kubeconfig: string, ...args: string[]): Promise<void> => {
        await until(`top ${args.join(" ")} says ${want}`, async () => {
          match(await site.kubectl(kubeconfig, ["top", ...args]), want);
          return true;
        });
      };

      await step("kubectl top pod and node at the hub", async () => {
        await tops(BUSY, hub.kubeconfig, "pod");
        await tops(/^default +busy +main +\d+m/m, hub.kubeconfig, "pod", "-A", "--containers");
        await tops(BUSY, hub.kubeconfig, "pod", "-l", "app=busy");
        await tops(
          /^gw-top +[1-9]\d*m +[1-9]\d*% +[1-9]\d*Mi +\d+% *$/m,
          ...[hub.kubeconfig, "node"] as const,
        );
      });

      await step("kubectl top at the node's own API", async () => {
        await tops(BUSY, agent.kubeconfig, "pod");
        await tops(/^gw-top +[1-9]\d*m/m, agent.kubeconfig, "node");
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
