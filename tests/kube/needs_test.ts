// What a gateway of a real cluster is made with, and what its pods need.
import assert from "node:assert/strict";
import { type EndpointSlice, type KubeObject, type Node, RESOURCES } from "../../core/api/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { nodeReady, podOf, readyPod, shellPod, Site, stepsOf } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { assertNothingDenied, stageOf } from "./stage.ts";

const missing = lacks("kube", "helm", "containerd", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

const TAINT = { key: "example.com/edge", value: "gateway", effect: "NoSchedule" } as const;
const TOLERATIONS = [{ key: TAINT.key, operator: "Exists" }];

/** A pod that mounts a ConfigMap and takes its environment from a Secret, and both. */
function needy(name: string): KubeObject[] {
  const metadata = { name, namespace: "default" };
  const pod = shellPod(name, "cat /etc/words/hello; echo $pass; sleep 1000", {
    tolerations: TOLERATIONS,
    volumes: [{ name: "words", configMap: { name } }, {
      name: "key",
      secret: { secretName: name },
    }],
  });
  const [container] = pod["spec"].containers;
  container.envFrom = [{ secretRef: { name } }];
  container.volumeMounts = [
    { name: "words", mountPath: "/etc/words" },
    { name: "key", mountPath: "/etc/key" },
  ];
  return [
    { apiVersion: "v1", kind: "ConfigMap", metadata, data: { hello: "world" } },
    { apiVersion: "v1", kind: "Secret", metadata, stringData: { pass: "sesame" } },
    pod,
  ];
}

Deno.test({
  name: `a gateway of a real cluster: its taints, and what its pods need${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const stage = await stageOf(site, [], ["--applications=off"]);
      const { cluster, kubectl } = stage;
      const containerd = await site.containerd();
      const hub = await stage.hub();
      const api = await site.client(hub.kubeconfig);
      const startAgent = async () =>
        await site.agent("gw1", {
          hub: `127.0.0.1:${hub.nodePort}`,
          token: await site.token(hub, "gw1"),
          cri: containerd.socket,
          flags: [
            `--pod-cidr=${containerd.subnet}`,
            "--labels=example.com/hall=7",
            `--register-with-taints=${TAINT.key}=${TAINT.value}:${TAINT.effect}`,
          ],
        });
      const warnings = async (pod: string): Promise<string[]> => {
        const { items } = await api.request("GET", "/api/v1/namespaces/default/events");
        return items.filter((one: { involvedObject: { name: string }; type: string }) =>
          one.involvedObject.name === pod && one.type === "Warning"
        ).map((one: { message: string }) => one.message);
      };
      let agent: Awaited<ReturnType<typeof startAgent>>;

      await step("its Node is made with its labels and taints", async () => {
        await cluster.untilPodsCanBeMade("default");
        using watch = await cluster.store.watch(RESOURCES.nodes);
        agent = await startAgent();
        for await (const event of watch) {
          if (event.type !== "ADDED") continue;
          const { spec, metadata } = event.object as Node;
          assert.ok(
            spec?.taints?.some(({ key }) => key === TAINT.key),
            "from its first version on",
          );
          assert.equal(metadata.labels?.["example.com/hall"], "7");
          break;
        }
        await until("gw1 is Ready", async () => await nodeReady(api, "gw1") === "True");
        const { metadata, spec } = await api.request("GET", "/api/v1/nodes/gw1");
        for (const role of ["edge", "agent"]) {
          assert.equal(metadata.labels[`node-role.kubernetes.io/${role}`], "");
        }
        await until("the cluster's own taints are gone", async () => {
          const { spec } = await api.request("GET", "/api/v1/nodes/gw1");
          return spec.taints.length === 1;
        });
        assert.ok(
          spec.taints.some((one: unknown) => one && (one as typeof TAINT).value === "gateway"),
        );
      });

      await step("pods that do not tolerate the taint stay away", async () => {
        await site.apply(hub.kubeconfig, shellPod("ordinary", "sleep 1000"));
        await until("the scheduler has refused it", async () => {
          const conditions = (await podOf(api, "ordinary"))?.status?.conditions ?? [];
          return conditions.some(({ reason, message }) =>
            reason === "Unschedulable" && /untolerated taint/.test(message ?? "")
          );
        });
      });

      await step(
        "pods come with their Secrets and ConfigMaps: nothing fails for a moment",
        async () => {
          const names = Array.from({ length: 5 }, (_, at) => `needy-${at}`);
          await site.apply(hub.kubeconfig, ...names.flatMap(needy));
          for (const name of names) {
            await readyPod(api, name);
            await until(
              "its log",
              async () => /^world.*sesame\n$/s.test(await kubectl("logs", name)),
            );
            assert.deepEqual(await warnings(name), []);
          }
        },
      );

      await step("a Secret that is not there is told, and found when it comes", async () => {
        const [words, secret, pod] = needy("late");
        await site.apply(hub.kubeconfig, words, pod);
        await until(
          "the node says what is missing",
          async () =>
            (await warnings("late")).some((text) => /secret "late" not found/i.test(text)),
        );
        await site.apply(hub.kubeconfig, secret);
        await readyPod(api, "late", 90);
      });

      await step(
        "endpoints of a Service are at the node when the Service asks for it",
        async () => {
          const local = await site.client(agent.kubeconfig);
          const service = (name: string, labels: Record<string, string>): KubeObject => ({
            apiVersion: "v1",
            kind: "Service",
            metadata: { name, namespace: "default", labels },
            spec: { selector: { app: "needy-0" }, ports: [{ port: 80 }] },
          });
          await site.apply(
            hub.kubeconfig,
            service("told", { "skerry.dev/endpoints": "" }),
            service("quiet", {}),
          );
          const path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
          const namesAt = async (place: typeof api): Promise<string> => {
            const { items } = await place.request("GET", path);
            return items.filter((one: EndpointSlice) => one.endpoints?.length > 0)
              .map(({ metadata }: EndpointSlice) => metadata.labels?.["kubernetes.io/service-name"])
              .sort().join();
          };
          await until("the cluster has both", async () => await namesAt(api) === "quiet,told");
          await until("the node has one", async () => await namesAt(local) === "told");
          await kubectl("label", "service", "told", "skerry.dev/endpoints-");
          await until("and none then", async () => await namesAt(local) === "");
        },
      );

      await step(
        "the node lets go of what is deleted, and of what no pod names any more",
        async () => {
          const local = await site.client(agent.kubeconfig);
          const has = async (kind: string, name: string): Promise<boolean> => {
            const { items } = await local.request("GET", `/api/v1/namespaces/default/${kind}`);
            return items.some(({ metadata }: KubeObject) => metadata.name === name);
          };
          for (const kind of ["secrets", "configmaps"]) {
            assert.equal(await has(kind, "needy-0"), true);
            await kubectl("delete", kind, "needy-0");
            await until(`the node's ${kind} are one less`, async () => !await has(kind, "needy-0"));
          }
          await kubectl("delete", "pod", "needy-1", "--grace-period=1");
          for (const kind of ["secrets", "configmaps"]) {
            await until(`the node's ${kind} are one less`, async () => !await has(kind, "needy-1"));
          }
        },
      );

      await step("a taint that an operator removes stays off", async () => {
        await kubectl("taint", "nodes", "gw1", `${TAINT.key}-`);
        await readyPod(api, "ordinary");
        await agent.process.kill();
        const beat = async (): Promise<string> => {
          const { status } = await api.request("GET", "/api/v1/nodes/gw1");
          return status.conditions.find(({ type }: { type: string }) => type === "Ready")
            .lastHeartbeatTime;
        };
        const before = await beat();
        agent = await startAgent();
        await until("it reports itself again", async () => await beat() !== before);
        const { spec } = await api.request("GET", "/api/v1/nodes/gw1");
        assert.equal(spec.taints, undefined);
        await site.apply(hub.kubeconfig, shellPod("next", "sleep 1000"));
        await readyPod(api, "next");
      });

      await step("nothing that the hub asked for was denied", async () => {
        // What no pod names any more is no node's business: then it goes.
        await assertNothingDenied(stage, { expected: /no relationship found between node 'gw1'/ });
      });
    }),
});
