import assert from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import {
  addressesOf,
  call,
  isReady,
  nodeReady,
  podsOf,
  readyFunction,
  shellSpec,
  Site,
  stepsOf,
  textFunction,
} from "./gateway_lib.ts";
import { TestNetwork } from "./gateway_net_lib.ts";
import { until } from "./gateway_process_lib.ts";

const missing = lacks("containerd", "netns", "kubectl", "libwasmtime");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODES = ["gw-one", "gw-two"] as const;

function workload(kind: string, name: string, spec: Record<string, unknown>): unknown {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: { name, namespace: "default" },
    spec: {
      selector: { matchLabels: labels },
      // Each pod says where it runs.
      template: { metadata: { labels }, spec: placedSpec() },
      ...spec,
    },
  };
}

function placedSpec(): Record<string, unknown> {
  const spec = shellSpec('echo "on $NODE"; sleep 1000');
  const [container] = spec["containers"] as Record<string, unknown>[];
  const fieldRef = { fieldPath: "spec.nodeName" };
  return {
    ...spec,
    containers: [{ ...container, env: [{ name: "NODE", valueFrom: { fieldRef } }] }],
  };
}

Deno.test({
  name: `two gateways in network namespaces join by token and share the work${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const containerd = await site.containerd();
      const network = site.hold(await TestNetwork.open());
      const hub = await site.hub();
      const api = await site.client(hub.kubeconfig);
      const places = { [NODES[0]]: await network.add(), [NODES[1]]: await network.add() };

      await step("both join over the network and get Ready", async () => {
        await Promise.all(NODES.map(async (name) => {
          const { netns } = places[name] ?? {};
          const [token] = await Promise.all([site.token(hub, name), site.runner(name, netns)]);
          const address = `${network.address}:${hub.nodePort}`;
          const flags = [`--pod-cidr=${containerd.subnet}`];
          await site.agent(name, { hub: address, token, cri: containerd.socket, netns, flags });
        }));
        for (const name of NODES) {
          await until(`${name} Ready`, async () => await nodeReady(api, name) === "True");
        }
        const table = await site.kubectl(hub.kubeconfig, ["get", "nodes"]);
        for (const name of NODES) {
          assert.match(table, new RegExp(`^${name} +Ready +`, "m"));
          assert.ok((await addressesOf(api, name)).includes(places[name]?.address ?? "none"));
        }
      });

      await step("a Deployment of two replicas spreads over both", async () => {
        await site.apply(hub.kubeconfig, workload("Deployment", "web", { replicas: 2 }));
        await until("two pods are ready", async () => {
          const pods = await podsOf(api, "app=web");
          return pods.length === 2 && pods.every(isReady);
        });
        const nodes = (await podsOf(api, "app=web")).map((pod) => pod.spec.nodeName);
        assert.deepEqual(nodes.sort(), [...NODES]);
      });

      await step("a DaemonSet lands on both", async () => {
        await site.apply(hub.kubeconfig, workload("DaemonSet", "everywhere", {}));
        const args = ["rollout", "status", "daemonset/everywhere", "--timeout=30s"];
        await site.kubectl(hub.kubeconfig, args);
        const pods = await podsOf(api, "app=everywhere");
        assert.deepEqual(pods.map((pod) => pod.spec.nodeName).sort(), [...NODES]);
      });

      await step("kubectl logs reaches the pods of both", async () => {
        for (const pod of await podsOf(api)) {
          // It is ready as soon as its program runs, whatever that has said by then.
          await until(`${pod.metadata.name} says where it is`, async () => {
            const logs = await site.kubectl(hub.kubeconfig, ["logs", pod.metadata.name]);
            assert.equal(logs, `on ${pod.spec.nodeName}\n`);
            return true;
          });
        }
      });

      await step("a function placed by node name answers there and nowhere else", async () => {
        const [here, elsewhere] = NODES;
        const spec = { placement: { nodeNames: [here] } };
        await site.apply(hub.kubeconfig, ...textFunction("placed", "one", spec));
        await site.apply(hub.kubeconfig, ...textFunction("common", "both"));
        const fn = await readyFunction(api, "placed");
        assert.deepEqual(fn.status?.nodes?.map(({ name }) => name), [here]);
        const ask = (node: typeof NODES[number], name: string): Promise<string> =>
          call(
            `http://127.0.0.1:${site.port(`${node}-gateway`)}/default/${name}`,
            places[node]?.netns,
          );
        assert.equal(await ask(here, "placed"), "200 one");
        await until("common answers on both", async () => {
          const answers = await Promise.all(NODES.map((node) => ask(node, "common")));
          return answers.every((answer) => answer === "200 both");
        });
        // The other node has got what came later, so it would have this one as well by now.
        assert.match(await ask(elsewhere, "placed"), /^404 /);
      });
    }),
});
