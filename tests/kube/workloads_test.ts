import assert from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import {
  call,
  isReady,
  nodeReady,
  podOf,
  podsOf,
  readyFunction,
  readyPod,
  shellPod,
  shellSpec,
  Site,
  stepsOf,
  textFunction,
} from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { TestCluster } from "./cluster.ts";

const missing = lacks("kube", "containerd", "kubectl", "libwasmtime");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

Deno.test({
  name: `what Kubernetes' own controllers make runs on a gateway, and what Skerry adds${skipped}`,
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
      const apply = (...objects: unknown[]) => site.apply(hub.kubeconfig, ...objects);
      const manifests = `${site.folder}/gw/manifests`;
      await site.runner("gw");
      await Deno.mkdir(manifests, { recursive: true });
      const agent = await site.agent("gw", {
        hub: `127.0.0.1:${hub.nodePort}`,
        token: await site.token(hub, "gw"),
        cri: containerd.socket,
        flags: [`--pod-cidr=${containerd.subnet}`],
      });
      await until("gw is Ready", async () => await nodeReady(api, "gw") === "True");
      await cluster.untilPodsCanBeMade("default");

      await step("a StatefulSet, a DaemonSet and a Job", async () => {
        const template = (app: string, script: string, spec = {}) => ({
          metadata: { labels: { app } },
          spec: { ...shellSpec(script), ...spec },
        });
        const selector = (app: string) => ({ matchLabels: { app } });
        await apply(
          {
            apiVersion: "apps/v1",
            kind: "StatefulSet",
            metadata: { name: "db" },
            spec: {
              serviceName: "db",
              replicas: 2,
              selector: selector("db"),
              template: template("db", "sleep 1000"),
            },
          },
          {
            apiVersion: "apps/v1",
            kind: "DaemonSet",
            metadata: { name: "each" },
            spec: { selector: selector("each"), template: template("each", "sleep 1000") },
          },
          {
            apiVersion: "batch/v1",
            kind: "Job",
            metadata: { name: "once" },
            spec: { template: template("once", "echo done", { restartPolicy: "Never" }) },
          },
        );
        await kubectl("rollout", "status", "statefulset/db", "--timeout=60s");
        await kubectl("rollout", "status", "daemonset/each", "--timeout=60s");
        await kubectl("wait", "job/once", "--for=condition=Complete", "--timeout=60s");
        assert.equal(await kubectl("logs", "job/once"), "done\n");
      });

      await step("a Secret that changes shows in the pod that mounts it", async () => {
        await kubectl("create", "secret", "generic", "word", "--from-literal=word=one");
        const pod = shellPod("reader", "sleep 1000", {
          volumes: [{ name: "word", secret: { secretName: "word" } }],
        });
        Object.assign(pod["spec"].containers[0], {
          volumeMounts: [{ name: "word", mountPath: "/word" }],
        });
        await apply(pod);
        await readyPod(api, "reader");
        const read = (): Promise<string> => kubectl("exec", "reader", "--", "cat", "/word/word");
        assert.equal(await read(), "one");
        await apply({
          apiVersion: "v1",
          kind: "Secret",
          metadata: { name: "word" },
          stringData: { word: "two" },
        });
        await until("the pod reads the new word", async () => await read() === "two");
      });

      await step("a function of a ConfigMap serves, and its status is told", async () => {
        await apply(...textFunction("hello", "from-kube"));
        await readyFunction(api, "hello");
        const url = `http://127.0.0.1:${site.port("gw-gateway")}/default/hello`;
        assert.equal(await call(url), "200 from-kube");
      });

      await step("a static pod has a mirror that its node owns", async () => {
        await Deno.writeTextFile(
          `${manifests}/own.yaml`,
          JSON.stringify(shellPod("own", "sleep 1000")),
        );
        const mirror = await readyPod(api, "own-gw");
        assert.deepEqual(mirror.metadata.ownerReferences?.map(({ kind }) => kind), ["Node"]);
        await kubectl("delete", "pod", "own-gw", "--wait=false");
        await until("the mirror is made anew", async () => {
          const again = await podOf(api, "own-gw");
          return again?.metadata.uid !== mirror.metadata.uid && isReady(again);
        });
        await Deno.remove(`${manifests}/own.yaml`);
        await until("it goes", async () => await podOf(api, "own-gw") === undefined);
      });

      await step("a resource that somebody advertises by hand can be had, and stays", async () => {
        const dongle = "example.com/dongle";
        const patch = JSON.stringify({ status: { capacity: { [dongle]: "5" } } });
        await kubectl(
          ...["patch", "node", "gw", "--subresource=status", "--type=merge", "-p", patch],
        );
        const offered = async (): Promise<string> => {
          const { status } = await api.request("GET", "/api/v1/nodes/gw");
          return `${status.capacity[dongle]} ${status.allocatable[dongle]}`;
        };
        await until("it can be had", async () => await offered() === "5 5");
        const pod = shellPod("dongle", "sleep 1000");
        Object.assign(pod["spec"].containers[0], { resources: { limits: { [dongle]: "5" } } });
        await apply(pod);
        await readyPod(api, "dongle");
        await kubectl("label", "node", "gw", "kubernetes.io/arch=wrong", "--overwrite");
        await until("the node has told of itself again", async () => {
          const { metadata } = await api.request("GET", "/api/v1/nodes/gw");
          return metadata.labels["kubernetes.io/arch"] !== "wrong";
        });
        assert.equal(await offered(), "5 5");
        await kubectl("delete", "pod", "dongle", "--wait=false");
      });

      await step("an application of KubeEdge's runs in a group of nodes", async () => {
        await apply(
          {
            apiVersion: "apps.kubeedge.io/v1alpha1",
            kind: "NodeGroup",
            metadata: { name: "mine" },
            spec: { nodes: ["gw"] },
          },
          {
            apiVersion: "apps.kubeedge.io/v1alpha1",
            kind: "EdgeApplication",
            metadata: { name: "app", namespace: "default" },
            spec: {
              workloadTemplate: {
                manifests: [{
                  apiVersion: "apps/v1",
                  kind: "Deployment",
                  metadata: { name: "shop", namespace: "default" },
                  spec: {
                    replicas: 1,
                    selector: { matchLabels: { app: "shop" } },
                    template: {
                      metadata: { labels: { app: "shop" } },
                      spec: shellSpec("sleep 1000"),
                    },
                  },
                }],
              },
              workloadScope: {
                targetNodeGroups: [{ name: "mine", overriders: { replicas: 2 } }],
              },
            },
          },
        );
        await until("two pods of it run", async () => {
          const pods = await podsOf(api, "app=shop");
          return pods.length === 2 && pods.every(isReady);
        });
        await kubectl("wait", "edgeapplication/app", "--for=condition=Available", "--timeout=60s");
        await until("the group names its node", async () => {
          const group = await api.request("GET", "/apis/apps.kubeedge.io/v1alpha1/nodegroups/mine");
          return group.status?.nodeStatuses?.[0]?.nodeName === "gw";
        });
      });

      await step("a Node that is deleted is shut out", async () => {
        await kubectl("delete", "node", "gw");
        await until(
          "the gateway is told, and says how it joins again",
          () => /shut this node out.*token create --node gw\b/.test(agent.process.output),
        );
      });
    }),
});
