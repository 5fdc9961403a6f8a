import assert from "node:assert/strict";
import { type Node, RESOURCES } from "../../core/api/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { COMPONENTS } from "../../tools/kube/mod.ts";
import { Site, stepsOf } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { HollowNode, joinHollow } from "./hollow_node.ts";
import { stageOf } from "./stage.ts";

const missing = lacks("kube", "helm", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

Deno.test({
  name: `a cluster restored from an older copy takes nothing from its nodes${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      // With the rights of the chart: they are enough for it.
      const stage = await stageOf(site, [], ["--applications=off"]);
      const { cluster } = stage;
      await cluster.untilPodsCanBeMade("default");
      const { kubeconfig, dir } = cluster.parts;
      const hub = await stage.hub();
      const address = `127.0.0.1:${hub.nodePort}`;
      const join = async (name: string): Promise<HollowNode> => {
        const token = await site.token(hub, name);
        const folder = `${site.folder}/${name}`;
        const identity = await joinHollow({ name, hub: address, token, folder });
        return site.hold(HollowNode.start({ name, hub: address, identity }));
      };
      const nodeObject = async (name = "n1"): Promise<Node> =>
        await (await site.client(kubeconfig)).request("GET", `/api/v1/nodes/${name}`);
      const awaiting = async (name = "n1") => {
        const { status } = await nodeObject(name);
        return status?.conditions?.find(({ type }) => type === "AwaitingReconnect");
      };
      const node = await join("n1");
      const stopAll = async (): Promise<void> => {
        for (const component of COMPONENTS.toReversed()) await cluster.parts.stop(component);
      };
      const startAll = async (): Promise<void> => {
        for (const component of COMPONENTS) await cluster.parts.start(component);
      };
      const makePod = async (name: string, on = node): Promise<string> => {
        const api = await site.client(kubeconfig);
        const pod = await api.request("POST", "/api/v1/namespaces/default/pods", {
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name },
          spec: {
            nodeName: on.name,
            automountServiceAccountToken: false,
            // So that the node's going away for a moment evicts nothing.
            tolerations: [{ operator: "Exists" }],
            containers: [{ name: "main", image: "none" }],
          },
        });
        await until(`the node has pod ${name}`, () => on.pods().has(pod.metadata.uid));
        return pod.metadata.uid;
      };

      const copy = async (): Promise<void> => {
        await stopAll();
        await new Deno.Command("cp", { args: ["-a", `${dir}/data`, `${dir}/copy`] }).output();
        await startAll();
      };
      /** A copy is older than what a cluster writes in the seconds after its return. */
      const writeMuch = async (): Promise<void> => {
        for (let i = 0; i < 300; i++) {
          await cluster.store.create(RESOURCES.configmaps, {
            apiVersion: "v1",
            kind: "ConfigMap",
            metadata: { generateName: "filler-", name: "", namespace: "default" },
          });
        }
      };
      const restore = async (): Promise<void> => {
        await stopAll();
        await Deno.remove(`${dir}/data`, { recursive: true });
        await Deno.rename(`${dir}/copy`, `${dir}/data`);
        await startAll();
      };
      const waits = () =>
        until("the Node waits", async () => {
          const found = await awaiting();
          return found?.status === "True" && found;
        }, 120);

      await until("the Node is there", async () => (await nodeObject().catch(() => undefined)));
      const old = await makePod("old");
      await copy();
      const young = await makePod("young");
      const late = await join("late");
      await until("its Node is there", () => nodeObject("late").catch(() => undefined));
      const lates = await makePod("lates", late);
      await writeMuch();
      const last = await makePod("last");

      await step("a restore is noticed: the node keeps all, and its Node says so", async () => {
        await restore();
        const condition = await waits();
        assert.match(condition.message ?? "", /kubectl annotate node n1 --overwrite skerry\.dev/);
        assert.deepEqual(node.pods(), new Set([old, young, last]));
      });

      await step("a node that joined after the copy keeps all and is told of", async () => {
        const name = "skerry-node-late";
        const path = `/api/v1/namespaces/skerry-system/secrets/${name}`;
        const why = await until("its identity is written down", async () => {
          const api = await site.client(kubeconfig);
          const secret = await api.request("GET", path).catch(() => undefined);
          return secret?.metadata.annotations?.["skerry.dev/shut-out"];
        });
        await until("it is shut out", () => !late.connected);
        assert.deepEqual(late.pods(), new Set([lates]));
        const command = /kubectl (annotate .*)$/.exec(why)?.[1] ?? "";
        await site.kubectl(kubeconfig, command.split(" "));
      });

      await step("what is new since reaches the node all the same", async () => {
        const pod = await makePod("later");
        assert.deepEqual(node.pods(), new Set([old, young, last, pod]));
      });

      await step("a person's word lets go what the cluster lacks, and nothing else", async () => {
        const command = /kubectl (annotate .*)$/.exec((await awaiting())?.message ?? "")?.[1] ?? "";
        await site.kubectl(kubeconfig, command.split(" "));
        await until("it has gone", () => !node.pods().has(young));
        assert.ok(node.pods().has(old));
        await until("the Node waits no more", async () => (await awaiting())?.status === "False");
      });

      await step("one while no hub ran is noticed by what the node can prove", async () => {
        await copy();
        await writeMuch();
        const newest = await makePod("newest");
        await hub.process.kill();
        await restore();
        await stage.hub();
        await waits();
        assert.ok(node.pods().has(newest));
        assert.ok(node.pods().has(old));
      });

      await step("a person has let the late one in, by that command alone", async () => {
        // Who is shut out asks once a minute.
        await until("its Node waits", async () => {
          return (await awaiting("late").catch(() => undefined))?.status === "True";
        }, 150);
        assert.deepEqual([late.connected, late.pods()], [true, new Set([lates])]);
        const next = await makePod("next", late);
        assert.deepEqual(late.pods(), new Set([lates, next]));
      });
    }),
});
