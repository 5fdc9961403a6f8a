import assert from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import { nodeReady, podsOf, readyPod, shellPod, Site, stepsOf } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { TestCluster } from "./cluster.ts";

const missing = lacks("kube", "containerd", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

Deno.test({
  name: `a gateway is a node of a real cluster: its pods, logs and commands${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const cluster = site.hold(await TestCluster.start());
      await cluster.applyCrds();
      const containerd = await site.containerd();
      const hub = await site.hubOn(cluster.parts.kubeconfig);
      const api = await site.client(hub.kubeconfig);
      const kubectl = (...args: string[]) => site.kubectl(hub.kubeconfig, args);

      await step("it joins by token and its Node gets Ready", async () => {
        const token = await site.token(hub, "gw1");
        await site.agent("gw1", {
          hub: `127.0.0.1:${hub.nodePort}`,
          token,
          cri: containerd.socket,
          flags: [`--pod-cidr=${containerd.subnet}`],
        });
        await until("gw1 is Ready", async () => await nodeReady(api, "gw1") === "True");
        const node = await api.request("GET", "/api/v1/nodes/gw1");
        assert.equal(node.metadata.labels["node-role.kubernetes.io/edge"], "");
        const lease = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/gw1";
        await until("it has a Lease", () => api.request("GET", lease).catch(() => undefined));
      });

      await step("the cluster's own scheduler and controllers place a Deployment", async () => {
        await cluster.untilPodsCanBeMade("default");
        await kubectl("create", "configmap", "words", "--from-literal=hello=world");
        await kubectl("create", "secret", "generic", "key", "--from-literal=pass=sesame");
        const { metadata: _, spec } = shellPod("x", "cat /etc/words/hello; echo $PASS; sleep 1000");
        const [container] = spec.containers;
        const template = {
          metadata: { labels: { app: "web" } },
          spec: {
            ...spec,
            restartPolicy: "Always",
            containers: [{
              ...container,
              env: [{ name: "PASS", valueFrom: { secretKeyRef: { name: "key", key: "pass" } } }],
              volumeMounts: [{ name: "words", mountPath: "/etc/words" }],
            }],
            volumes: [{ name: "words", configMap: { name: "words" } }],
          },
        };
        await site.apply(hub.kubeconfig, {
          apiVersion: "apps/v1",
          kind: "Deployment",
          metadata: { name: "web" },
          spec: { replicas: 2, selector: { matchLabels: { app: "web" } }, template },
        });
        await kubectl("rollout", "status", "deployment/web", "--timeout=60s");
      });

      await step("kubectl logs and exec reach it through the API server", async () => {
        const [pod] = await podsOf(api, "app=web");
        const name = pod?.metadata.name ?? "";
        assert.match(await kubectl("logs", name), /^world.*sesame\n$/s);
        assert.equal(await kubectl("exec", name, "--", "cat", "/etc/words/hello"), "world");
      });

      await step("a pod that is deleted goes", async () => {
        await site.apply(hub.kubeconfig, shellPod("alone", "sleep 1000"));
        await readyPod(api, "alone");
        await kubectl("delete", "pod", "alone", "--grace-period=1");
      });
    }),
});
