import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { lacks } from "../../tools/test/needs.ts";
import { podsOf, readyPod, shellPod, Site, stepsOf } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { startContainerd } from "../../tools/containerd/mod.ts";
import { TestCluster } from "./cluster.ts";
import { joinGateway } from "./gateway.ts";

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

      await step("two gateways join by token and their Nodes get Ready", async () => {
        const second = site.hold(await startContainerd());
        for (const [name, runtime] of [["gw1", containerd], ["gw2", second]] as const) {
          await joinGateway(site, { name, hub, api, containerd: runtime });
        }
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
            topologySpreadConstraints: [{
              maxSkew: 1,
              topologyKey: "kubernetes.io/hostname",
              whenUnsatisfiable: "DoNotSchedule",
              labelSelector: { matchLabels: { app: "web" } },
            }],
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
        const nodes = (await podsOf(api, "app=web")).map(({ spec }) => spec.nodeName);
        assert.deepEqual(nodes.sort(), ["gw1", "gw2"]);
      });

      await step("a status that somebody else wrote is put right", async () => {
        const asked = (): number => hub.process.output.split("others wrote what only").length - 1;
        assert.equal(asked(), 0, "the nodes' own words are not taken for somebody else's");
        for (const { metadata: { name }, status: before = {} } of await podsOf(api, "app=web")) {
          const conditions = before.conditions?.map((one) =>
            one.type === "Ready" ? { ...one, status: "False" } : one
          );
          const status = { reason: "Overruled", podIP: null, podIPs: null, conditions };
          const patch = JSON.stringify({ status });
          await kubectl("patch", "pod", name, "--subresource=status", "--type=merge", "-p", patch);
          await until(`${name} is told as it is`, async () => {
            const { status: now } = await api.request(
              "GET",
              `/api/v1/namespaces/default/pods/${name}`,
            );
            return now.reason === undefined && isDeepStrictEqual(now, before);
          });
        }
      });

      await step("logs, exec, cp and port-forward reach both through the API server", async () => {
        for (const { metadata: { name } } of await podsOf(api, "app=web")) {
          await until(
            "its log",
            async () => /^world.*sesame\n$/s.test(await kubectl("logs", name)),
          );
          assert.equal(await kubectl("exec", name, "--", "cat", "/etc/words/hello"), "world");
          const copy = `${site.folder}/${name}.copy`;
          await kubectl("exec", name, "--", "sh", "-c", "cat /etc/words/hello >/tmp/hello");
          await kubectl("cp", `${name}:/tmp/hello`, copy);
          assert.equal(await Deno.readTextFile(copy), "world");
          await kubectl("exec", name, "--", "sh", "-c", "httpd -p 8080 -h /etc/words");
          const port = site.port(name);
          const forward = site.start(
            "port-forward",
            site.kubectlCommand(hub.kubeconfig, ["port-forward", name, `${port}:8080`]),
          );
          await forward.prints(/Forwarding from 127/);
          assert.equal(await (await fetch(`http://127.0.0.1:${port}/hello`)).text(), "world");
          await forward.kill();
        }
      });

      await step(
        "a pod has a token of its own, and the CA to use it with",
        async () => {
          const [pod] = await podsOf(api, "app=web");
          const folder = "/var/run/secrets/kubernetes.io/serviceaccount";
          const read = (file: string): Promise<string> =>
            kubectl("exec", pod?.metadata.name ?? "", "--", "cat", `${folder}/${file}`);
          const review = await api.request(
            "POST",
            "/apis/authentication.k8s.io/v1/tokenreviews",
            { spec: { token: (await read("token")).trim() } },
          );
          assert.equal(review.status.user.username, "system:serviceaccount:default:default");
          assert.deepEqual(review.status.user.extra["authentication.kubernetes.io/pod-uid"], [
            pod?.metadata.uid,
          ]);
          assert.match(await read("ca.crt"), /BEGIN CERTIFICATE/);
          assert.equal(await read("namespace"), "default");
        },
      );

      await step(
        "metrics of each node are read at its own port, as a metrics-server does",
        async () => {
          for (const name of ["gw1", "gw2"]) {
            const { status } = await api.request("GET", `/api/v1/nodes/${name}`);
            const port = status.daemonEndpoints.kubeletEndpoint.Port;
            const at = `${status.addresses[0].address}:${port}`;
            const pod = (await podsOf(api, "app=web")).find(({ spec }) => spec.nodeName === name);
            await until("its pod is measured", async () => {
              const metrics = await cluster.askKubelet(at, "/metrics/resource");
              return metrics.includes(`pod="${pod?.metadata.name}"`);
            });
            const stats = JSON.parse(await cluster.askKubelet(at, "/stats/summary"));
            assert.equal(stats.node.nodeName, name);
            assert.match(await cluster.askKubelet(at, "/metrics"), /^skerry_agent_link_up 1$/m);
          }
        },
      );

      await step("a pod that is deleted goes", async () => {
        await site.apply(hub.kubeconfig, shellPod("alone", "sleep 1000"));
        await readyPod(api, "alone");
        await kubectl("delete", "pod", "alone", "--grace-period=1");
      });
    }),
});
