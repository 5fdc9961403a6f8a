// The real metrics-server reads the kubelets of gateways, each at its own port of the hub.
import assert from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import { startContainerd } from "../../tools/containerd/mod.ts";
import {
  type AgentAt,
  nodeReady,
  readyPod,
  shellPod,
  shellSpec,
  Site,
  stepsOf,
} from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { startMetricsServer } from "./metrics_server.ts";
import { assertNothingDenied, stageOf } from "./stage.ts";

const missing = lacks("kube", "containerd", "kubectl", "helm");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

/** A pod of `node` that burns up to 0.3 cores. */
function busyPod(node: string): unknown {
  const spec = shellSpec("while :; do :; done") as { containers: Record<string, unknown>[] };
  const limits = { cpu: "300m" };
  const containers = spec.containers.map((one) => ({ ...one, resources: { limits } }));
  return shellPod(`busy-${node}`, "", { containers, nodeName: node });
}

Deno.test({
  name: `kubectl top shows gateways by the cluster's own metrics-server${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      // The hub has the chart's rights and no others.
      const stage = await stageOf(site, [], ["--applications=off"]);
      const { cluster, kubectl } = stage;
      const hub = await stage.hub();
      const api = await site.client(hub.kubeconfig);
      const agents = new Map<string, AgentAt>();
      const runtimes = [await site.containerd(), site.hold(await startContainerd())];
      await cluster.untilPodsCanBeMade("default");
      for (const [index, { socket, subnet }] of runtimes.entries()) {
        const name = `gw${index + 1}`;
        const agent = await site.agent(name, {
          hub: `127.0.0.1:${hub.nodePort}`,
          token: await site.token(hub, name),
          cri: socket,
          flags: [`--pod-cidr=${subnet}`],
        });
        agents.set(name, agent);
        await until(`${name} is Ready`, async () => await nodeReady(api, name) === "True");
        await site.apply(hub.kubeconfig, busyPod(name));
        await readyPod(api, `busy-${name}`);
      }
      const nodesWithMetrics = async (): Promise<string[]> => {
        const { items } = await api.request("GET", "/apis/metrics.k8s.io/v1beta1/nodes");
        return items.map(({ metadata }: { metadata: { name: string } }) => metadata.name).sort();
      };

      await step("it reads every node, and verifies the hub as its kubelet", async () => {
        const server = await startMetricsServer(site, cluster);
        await until("both nodes", async () => (await nodesWithMetrics()).join() === "gw1,gw2", 60);
        // Whom it hears itself, it may refuse until it has read the cluster's CA.
        assert.doesNotMatch(server.output, /Failed to scrape node.*(x509|certificate)/);
      });

      await step("kubectl top node", async () => {
        await until("both nodes", async () => {
          const text = await kubectl("top", "node");
          for (const name of agents.keys()) {
            assert.match(
              text,
              new RegExp(`^${name} +[1-9]\\d*m +[1-9]\\d*% +[1-9]\\d*Mi +\\d+% *$`, "m"),
            );
          }
          return true;
        });
      });

      await step("kubectl top pod, and by container", async () => {
        await until("both pods", async () => {
          const text = await kubectl("top", "pod", "--containers");
          return [...agents.keys()].every((name) =>
            // Others may keep the machine so busy that it gets less than its limit.
            new RegExp(`^busy-${name} +main +(\\d{2}|[12]\\d\\d|3[0-5]\\d)m +\\d+Mi *$`, "m").test(
              text,
            )
          );
        }, 60);
        // A node that was too busy to answer in time is left out of one reading.
        await until(
          "one pod",
          async () => /^busy-gw2 /m.test(await kubectl("top", "pod", "-l", "app=busy-gw2")),
        );
      });

      await step("a gateway that is away is left out, and the other is still there", async () => {
        await agents.get("gw2")?.process.kill();
        await until("one node", async () => (await nodesWithMetrics()).join() === "gw1", 60);
        await until(
          "the other",
          async () => /^gw1 +\d+m/m.test(await kubectl("top", "node", "gw1")),
        );
      });

      await step("the hub was denied nothing", async () => void await assertNothingDenied(stage));
    }),
});
