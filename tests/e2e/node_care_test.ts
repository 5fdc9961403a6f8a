import assert from "node:assert/strict";
import type { Condition, Event, Node, Pod } from "../../core/api/mod.ts";
import type { ApiClient } from "../../cli/client.ts";
import { lacks } from "../../tools/test/needs.ts";
import { TEST_IMAGES } from "../../tools/images/mod.ts";
import { podOf, readyPod, shellPod, Site, stepsOf } from "./gateway_lib.ts";
import { childrenOf, type Running, signalId, until } from "./gateway_process_lib.ts";

const missing = lacks("containerd", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-care";
const MIB = 1024 * 1024;

async function nodeOf(api: ApiClient): Promise<Node> {
  return await api.request("GET", `/api/v1/nodes/${NODE}`);
}

async function condition(api: ApiClient, type: string): Promise<Condition | undefined> {
  return (await nodeOf(api)).status?.conditions?.find((one) => one.type === type);
}

async function reasonsOf(api: ApiClient, kind: string, name: string): Promise<string[]> {
  const { items }: { items: Event[] } = await api.request(
    "GET",
    "/api/v1/namespaces/default/events",
  );
  return items.filter(({ involvedObject: of }) => of.kind === kind && of.name === name)
    .map(({ reason }) => reason ?? "");
}

/** Waits until a pod has failed; returns its status. */
async function failed(api: ApiClient, name: string, limit = 60): Promise<Pod["status"]> {
  return await until(`${name} has failed`, async () => {
    const status = (await podOf(api, name))?.status;
    if (status?.phase !== "Failed") throw new Error(JSON.stringify(status ?? "no pod"));
    return status;
  }, limit);
}

/** The agent itself, which a launcher has started. */
async function agentOf(launcher: Running): Promise<number> {
  const [child] = await childrenOf(launcher.pid);
  if (!child) throw new Error("the launcher has no child");
  return child.pid;
}

Deno.test({
  name: `a node says how it stands, takes what fits, and keeps itself going${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const containerd = await site.containerd();
      const hub = await site.hub();
      const api = await site.client(hub.kubeconfig);
      const token = await site.token(hub, NODE);
      const agent = (flags: readonly string[] = []) =>
        site.agent(NODE, {
          hub: `127.0.0.1:${hub.nodePort}`,
          token,
          cri: containerd.socket,
          flags: [`--pod-cidr=${containerd.subnet}`, ...flags],
        });
      let running = await agent();
      const restart = async (flags: readonly string[]): Promise<void> => {
        running.process.signal("SIGTERM");
        await running.process.exit(20);
        running = await agent(flags);
      };

      await step("its Node has what a kubelet's has", async () => {
        const { status } = await until("the node is ready and has images", async () => {
          const node = await nodeOf(api);
          const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
          const images = node.status?.images ?? [];
          return ready?.reason === "KubeletReady" && images.length > 0 && node;
        });
        assert.match(status?.capacity?.["ephemeral-storage"] ?? "", /^\d+Ki$/);
        assert.match(status?.allocatable?.["ephemeral-storage"] ?? "", /^\d+$/);
        const names = status?.images?.flatMap((one) => one.names) ?? [];
        assert.ok(names.includes(TEST_IMAGES.busybox), names.join(" "));
        const table = await site.kubectl(hub.kubeconfig, ["describe", "node", NODE]);
        assert.match(table, /NetworkUnavailable +False .* NetworkPluginReady/);
        assert.match(table, /MemoryPressure +False .* KubeletHasSufficientMemory/);
        await until("its events are there", async () =>
          (await reasonsOf(api, "Node", NODE)).includes("NodeReady"));
      });

      await step("a pod that does not fit is turned away in the kubelet's words", async () => {
        const resources = { requests: { cpu: "1000" } };
        const { spec } = shellPod("large", "sleep 1000");
        const containers = spec.containers.map((one: object) => ({ ...one, resources }));
        await site.apply(hub.kubeconfig, shellPod("large", "", { containers, nodeName: NODE }));
        const status = await failed(api, "large");
        assert.equal(status?.reason, "OutOfcpu");
        assert.match(
          status?.message ?? "",
          /^Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000, used: 0, capacity: \d+000$/,
        );
      });

      await step("without a CNI configuration it says which folder lacks one", async () => {
        const file = `${containerd.paths.cni}/10-skerry.conflist`;
        await Deno.rename(file, `${file}.off`);
        const network = await until("the network is unavailable", async () => {
          const found = await condition(api, "NetworkUnavailable");
          return found?.status === "True" && found;
        });
        assert.match(
          network.message ?? "",
          new RegExp(`no network config.* ${containerd.paths.cni}`),
        );
        assert.match(
          (await condition(api, "Ready"))?.message ?? "",
          /^container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady/,
        );
        await until("the hub taints the node", async () =>
          (await nodeOf(api)).spec?.taints?.some(({ key }) =>
            key === "node.kubernetes.io/network-unavailable"
          ));
        await Deno.rename(`${file}.off`, file);
        await until("the network is there again", async () =>
          (await condition(api, "Ready"))?.status === "True");
      });

      await step("under memory pressure the hog ends, and nobody else", async () => {
        const memory = { resources: { requests: { memory: "16Mi" } } };
        const small = shellPod("small", "sleep 1000");
        const modest = small.spec.containers.map((one: object) => ({ ...one, ...memory }));
        await site.apply(hub.kubeconfig, shellPod("small", "", { containers: modest }));
        await readyPod(api, "small");
        // What is free now, but for what others may take meanwhile.
        const threshold = Math.floor(Deno.systemMemoryInfo().available / MIB) - 700;
        await restart([`--eviction-hard=memory.available<${threshold}Mi`]);
        // tail keeps what it has read: one line that never ends. It takes on until it is evicted, as
        // others may give back more than that meanwhile.
        await site.apply(
          hub.kubeconfig,
          shellPod("hog", "head -c 6000m /dev/zero | tail -n 1 | sleep 1000"),
        );
        const status = await failed(api, "hog", 180);
        assert.equal(status?.reason, "Evicted");
        assert.match(
          status?.message ?? "",
          /^The node was low on resource: memory\. Threshold quantity: \S+, available: \S+\. Container main was using \S+, request is 0, has larger consumption of memory\. $/,
        );
        await until("the node says so", async () =>
          (await condition(api, "MemoryPressure"))?.status === "True");
        await until("the hub taints the node", async () =>
          (await nodeOf(api)).spec?.taints?.some(({ key, effect }) =>
            key === "node.kubernetes.io/memory-pressure" && effect === "NoSchedule"
          ));
        await until("events tell of it", async () => {
          const found = await reasonsOf(api, "Node", NODE);
          const missing = ["EvictionThresholdMet", "NodeHasInsufficientMemory"]
            .filter((one) =>
              !found.includes(one)
            );
          assert.deepEqual(missing, [], found.join(" "));
          return (await reasonsOf(api, "Pod", "hog")).includes("Evicted");
        });
        assert.equal((await podOf(api, "small"))?.status?.phase, "Running");
      });

      await step(
        "when the machine goes down pods end in order, and run again after it",
        async () => {
          // Without the pressure that lasts for another five minutes.
          await restart(["--shutdown-grace-period=20"]);
          const spec = { terminationGracePeriodSeconds: 15 };
          // The ordinary one takes its time: at once, it would be the last to end.
          const trap = (wait: number): string =>
            `trap 'sleep ${wait}; touch /log/end; exit 0' TERM; while true; do sleep 0.1; done`;
          const logs = `${site.folder}/ends`;
          const withLog = (name: string, more: object) => {
            const volumes = [{ name: "log", hostPath: { path: `${logs}/${name}` } }];
            const volumeMounts = [{ name: "log", mountPath: "/log" }];
            const pod = shellPod(name, trap(name === "plain" ? 1 : 0), {
              ...spec,
              ...more,
              volumes,
            });
            const [main] = pod.spec.containers;
            return { ...pod, spec: { ...pod.spec, containers: [{ ...main, volumeMounts }] } };
          };
          const [plain, vital, once] = ["plain", "vital", "once"];
          await site.apply(
            hub.kubeconfig,
            withLog(plain, {}),
            withLog(vital, { priorityClassName: "system-node-critical" }),
            withLog(once, { restartPolicy: "Never" }),
          );
          for (const name of [plain, vital, once]) {
            await readyPod(api, name);
          }

          const pid = await agentOf(running.process);
          signalId(pid, "SIGPWR");
          await until("the node is not ready", async () =>
            (await condition(api, "Ready"))?.message === "node is shutting down");
          const failure = await failed(api, once);
          assert.equal(failure?.reason, "Terminated");
          const target = failure?.conditions?.find(({ type }) =>
            type === "DisruptionTarget"
          );
          assert.equal(target?.reason, "TerminationByKubelet");
          for (const name of [plain, vital]) {
            await until(`${name} says why it ended`, async () => {
              const status = (await podOf(api, name))?.status;
              return status?.reason === "Terminated" &&
                status.containerStatuses?.[0]?.state.terminated?.exitCode === 0;
            });
          }
          const [first = 0, last = 0] = await Promise.all(
            [plain, vital].map(async (name) =>
              (await Deno.stat(`${logs}/${name}/end`)).mtime?.getTime()
            ),
          );
          assert.ok(first < last, `${first} is before ${last}`);
          running.process.signal("SIGTERM");
          await running.process.exit(30);
          await until("nothing runs", async () =>
            (await containerd.ctr("tasks", "ls", "-q")).trim() === "");

          running = await agent();
          for (const name of [plain, vital]) {
            const pod = await readyPod(api, name);
            assert.equal(pod.status?.reason, undefined);
            assert.equal(pod.status?.containerStatuses?.[0]?.restartCount, 1);
          }
          assert.equal((await podOf(api, once))?.status?.phase, "Failed");
        },
      );
    }),
});
