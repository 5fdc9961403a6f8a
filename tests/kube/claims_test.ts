// What the claims of pods lead to, on a real control plane: told to the node, and mounted by nobody yet.
import assert from "node:assert/strict";
import { type KubeObject, VOLUME_LIST, VOLUME_RESOURCES } from "../../core/api/mod.ts";
import { systemClock } from "../../core/base/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { nodeReady, podOf, shellPod, Site, stepsOf } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { attachmentObject, claimObjects, claimVolume } from "./claim_objects.ts";
import { Fleet } from "./fleet.ts";
import { assertNothingDenied, stageOf } from "./stage.ts";

const missing = lacks("kube", "helm", "containerd", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

const { volumeattachments } = VOLUME_RESOURCES;
const HOLLOW = "hollow-0";

Deno.test({
  name: `a node is told what the claims of its pods lead to${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const stage = await stageOf(site, [], ["--applications=off"]);
      const { cluster, kubectl } = stage;
      const containerd = await site.containerd();
      let hub = await stage.hub();
      const api = await site.client(hub.kubeconfig);
      const address = `127.0.0.1:${hub.nodePort}`;
      const fleet = await Fleet.join(site, { hub, address, count: 2 });
      const [hollow, other] = fleet.nodes;
      assert.ok(hollow && other);
      const attachment = attachmentObject("data", HOLLOW);
      const all = ["data", "of-data", attachment.metadata.name];
      const held = (): string[] => namesOf(hollow.list.bind(hollow));
      const isAttached = (): unknown => hollow.list(volumeattachments)[0]?.["status"]?.attached;
      const setAttached = async (attached: boolean): Promise<void> => {
        const ref = { resource: volumeattachments, name: attachment.metadata.name };
        await cluster.store.update(ref, (current) => ({ ...current, status: { attached } }), {
          subresource: "status",
        });
      };

      await step("a claim is bound to its volume", async () => {
        await cluster.untilPodsCanBeMade("default");
        await site.apply(hub.kubeconfig, ...claimObjects("data"), attachment);
        await until("it is bound", async () => {
          const phase = "jsonpath={.status.phase}";
          return await kubectl("get", "pvc", "data", "-o", phase) === "Bound";
        });
        for (const { name } of fleet.nodes) {
          await until(`${name} is Ready`, async () => await nodeReady(api, name) === "True");
        }
      });

      await step("the node of a pod with that claim has all three, and no other node", async () => {
        const onHollow = { "kubernetes.io/hostname": HOLLOW };
        const spec = { ...claimVolume("data"), nodeSelector: onHollow };
        const onOther = { nodeSelector: { "kubernetes.io/hostname": other.name } };
        await site.apply(
          hub.kubeconfig,
          shellPod("claimed", "sleep 1000", spec),
          shellPod("plain", "sleep 1000", onOther),
        );
        await until(
          "both pods are there",
          () => hollow.pods().size === 1 && other.pods().size === 1,
        );
        await until("all three are there", () => held().length === 3);
        assert.deepEqual(held(), all);
        assert.deepEqual(namesOf(other.list.bind(other)), []);
        const objects = VOLUME_LIST.flatMap((resource) => hollow.list(resource));
        for (const { metadata } of objects) assert.equal(metadata.managedFields, undefined);
      });

      await step("a change of the attachment arrives", async () => {
        assert.notEqual(isAttached(), true);
        await setAttached(true);
        await until("it is attached there", () => isAttached() === true);
      });

      await step("a hub that starts anew takes nothing away, and goes on", async () => {
        const left: string[] = [];
        using _watches = hollow.onLeaving(VOLUME_LIST, (name) => left.push(name));
        hub.process.signal("SIGTERM");
        await hub.process.exit(60);
        await setAttached(false);
        hub = await stage.hub();
        await until("the node is back", () => fleet.connected);
        await until("what happened meanwhile is there", () => isAttached() === false);
        assert.deepEqual([held(), left], [all, []]);
      });

      await step("an agent says that it mounts no claims, and keeps what it was told", async () => {
        const agent = await site.agent("gw1", {
          hub: address,
          token: await site.token(hub, "gw1"),
          cri: containerd.socket,
          flags: [`--pod-cidr=${containerd.subnet}`],
        });
        await until("gw1 is Ready", async () => await nodeReady(api, "gw1") === "True");
        const nodeSelector = { "kubernetes.io/hostname": "gw1" };
        const spec = { ...claimVolume("data"), nodeSelector };
        await site.apply(hub.kubeconfig, shellPod("refused", "sleep 1000", spec));
        await until("an Event says so", async () => {
          const { items } = await api.request("GET", "/api/v1/namespaces/default/events");
          return items.some((one: KubeObject) =>
            one["involvedObject"].name === "refused" && one["reason"] === "UnsupportedField" &&
            /persistentVolumeClaim/.test(one["message"])
          );
        });
        assert.equal((await podOf(api, "refused"))?.status?.phase, "Pending");
        // What the hub knows of its claim it has told by the time that a later pod is there.
        const local = await site.client(agent.kubeconfig);
        await site.apply(hub.kubeconfig, shellPod("last", "sleep 1000", { nodeName: "gw1" }));
        await until("the node is told of a pod since", async () => await podOf(local, "last"));
        agent.process.signal("SIGTERM");
        await agent.process.exit(60);
        using store = openSqliteStore({
          path: `${site.folder}/gw1/agent/agent.db`,
          keyFile: `${site.folder}/gw1/agent/keys/store.key`,
          clock: systemClock,
        });
        // Nobody has attached it there.
        const names = namesOf((resource) => store.transact((tx) => tx.list(resource)));
        assert.deepEqual(names, ["data", "of-data"]);
      });

      await step(
        "nothing that the hub asked for was denied but what concerns no node",
        async () => {
          await assertNothingDenied(stage, { expected: /no relationship found between node/ });
        },
      );

      await step("an API server that starts anew takes nothing away either", async () => {
        // It knows no rights for a moment, and refuses whatever it is asked.
        const left: string[] = [];
        using _watches = hollow.onLeaving(VOLUME_LIST, (name) => left.push(name));
        await cluster.parts.stop("apiserver");
        await cluster.parts.start("apiserver");
        await setAttached(true);
        await until("what happened since is there", () => isAttached() === true, 90);
        assert.deepEqual([held(), left], [all, []]);
      });

      await step("all of it leaves the node with the pod", async () => {
        await kubectl("delete", "pod", "claimed", "--grace-period=1");
        await until("nothing is there", () => held().length === 0);
      });
    }),
});

function namesOf(list: (resource: typeof VOLUME_LIST[number]) => readonly KubeObject[]): string[] {
  return VOLUME_LIST.flatMap((resource) => list(resource).map(({ metadata }) => metadata.name));
}
