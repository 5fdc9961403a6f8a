import assert from "node:assert/strict";
import { conditionOf, type KubeObject, type Node } from "../../core/api/mod.ts";
import type { Containerd } from "../../tools/containerd/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { type AgentAt, readyPod, shellPod, Site, stepsOf } from "./gateway_lib.ts";
import { until } from "./gateway_process_lib.ts";

const missing = lacks("containerd", "kubectl", "bundle");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-lost";
const NEEDS_JOIN = 77;

/** The containers that run, by the name of their pod. Sandboxes are left out. */
async function running(containerd: Containerd): Promise<Record<string, string[]>> {
  const out: Record<string, string[]> = {};
  for (const id of (await containerd.ctr("tasks", "ls", "-q")).split("\n").filter(Boolean)) {
    // One that has gone meanwhile does not run.
    const text = await containerd.ctr("containers", "info", id).catch(() => "{}");
    const { Labels: labels = {} } = JSON.parse(text) as { Labels?: Record<string, string> };
    const name = labels["io.kubernetes.pod.name"];
    if (name === undefined || labels["io.cri-containerd.kind"] !== "container") continue;
    (out[name] ??= []).push(id);
  }
  return out;
}

function onNode(name: string): KubeObject {
  // What is known of a pod whose state was lost does not tell its grace: it gets 30 s.
  const script = "trap 'exit 0' TERM; while true; do sleep 0.2; done";
  return shellPod(name, script, { nodeName: NODE });
}

Deno.test({
  name: `a gateway that lost its state ends nothing until it is joined anew${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const containerd = await site.containerd();
      let hub = await site.hub();
      const options = {
        hub: `127.0.0.1:${hub.nodePort}`,
        cri: containerd.socket,
        flags: [`--pod-cidr=${containerd.subnet}`],
      };
      const first = await site.agent(NODE, { ...options, token: await site.token(hub, NODE) });
      const api = await site.client(hub.kubeconfig);
      const node = async (): Promise<Node> => await api.request("GET", `/api/v1/nodes/${NODE}`);
      await until("the node is there", async () => await node());
      await site.apply(hub.kubeconfig, ...["gone", "kept", "twin"].map(onNode));
      for (const name of ["gone", "kept", "twin"]) await readyPod(api, name);
      const before = await running(containerd);
      assert.deepEqual(Object.values(before).map((ids) => ids.length), [1, 1, 1]);

      await step("its folder is lost, and meanwhile the cluster goes on without it", async () => {
        await first.process.kill();
        await Deno.remove(`${site.folder}/${NODE}/agent`, { recursive: true });
        const force = ["--force", "--grace-period=0"];
        await site.kubectl(hub.kubeconfig, ["delete", "pod", "gone", "twin", ...force]);
        await site.apply(hub.kubeconfig, onNode("twin"));
        assert.deepEqual(await running(containerd), before);
      });

      await step("without a token it ends, and its pods run on", async () => {
        const process = site.startAgent(NODE, options);
        await process.prints(/skerry token create/);
        assert.equal(await process.exit(30), NEEDS_JOIN, process.output);
        assert.deepEqual(await running(containerd), before);
      });

      const token = await site.token(hub, NODE, ["--replace"]);
      let agent: AgentAt;
      await step("while the hub is away its pods run on, and it names them", async () => {
        await hub.process.kill();
        agent = await site.agent(NODE, { ...options, token });
        await agent.process.prints(/pods run on this node that its state does not know/);
        const local = await site.client(agent.kubeconfig);
        const check = await until("check names them", async () => {
          const { checks } = await local.request("GET", "/skerry/v1/check");
          const found = checks.find(({ name }: { name: string }) => name === "stray-pods");
          return found?.ok === false && found;
        });
        for (const name of Object.keys(before)) assert.match(check.message, new RegExp(name));
        const self: Node = await until(
          "its Node says so",
          async () => {
            const own = await local.request("GET", `/api/v1/nodes/${NODE}`);
            return conditionOf(own, "StrayPods")?.status === "True" && own;
          },
          20,
        );
        assert.match(conditionOf(self, "StrayPods")?.message ?? "", /default\/twin/);
        assert.deepEqual(await running(containerd), before);
      });

      await step("joined anew, it keeps what the cluster has and ends the rest", async () => {
        hub = await site.hub();
        const after = await until("one twin runs, a new one", async () => {
          const now = await running(containerd);
          const twins = now["twin"] ?? [];
          assert.ok(twins.length < 2, `two at once: ${twins}`);
          return now["gone"] === undefined && twins.length === 1 &&
            twins[0] !== before["twin"]?.[0] && now;
        }, 60);
        assert.deepEqual(after["kept"], before["kept"]);
        for (const name of ["kept", "twin"]) await readyPod(api, name);
        const local = await site.client(agent.kubeconfig);
        await until("nothing is left to say", async () => {
          const { checks } = await local.request("GET", "/skerry/v1/check");
          return checks.find(({ name }: { name: string }) => name === "stray-pods")?.ok;
        });
        await until("the cluster's Node has nothing to say either", async () =>
          conditionOf(await node(), "StrayPods")?.status === "False", 20);
        await until("the logs of the others are gone", async () => {
          const logs = Deno.readDir(`${site.folder}/${NODE}/logs`);
          const pods = await Array.fromAsync(logs, ({ name }) =>
            name.split("_")[1]);
          assert.deepEqual(pods.sort(), ["kept", "twin"]);
          return true;
        });
      });
    }),
});
