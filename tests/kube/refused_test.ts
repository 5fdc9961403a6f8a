import assert from "node:assert/strict";
import type { Event, Pod } from "../../core/api/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { call, Site } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { TestCluster } from "./cluster.ts";
import { HollowNode, joinHollow } from "./hollow_node.ts";

const missing = lacks("kube", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const POD = "/api/v1/namespaces/default/pods/web";

Deno.test({
  name:
    `a report that the API server refuses is asked once a change, and its pod says why${skipped}`,
  ignore: missing !== undefined,
  fn: () =>
    Site.run(async (site) => {
      const cluster = site.hold(await TestCluster.start());
      await cluster.applyCrds();
      await cluster.untilPodsCanBeMade("default");
      const { kubeconfig } = cluster.parts;
      const hub = await site.hubOn(kubeconfig, ["--applications=off"]);
      // Both are at loopback addresses here, and the API server may be anywhere.
      await hub.process.prints(
        /unless the API server runs on this machine.*--kubelet-address HOST/,
      );
      const name = "n1";
      const at = `127.0.0.1:${hub.nodePort}`;
      const token = await site.token(hub, name);
      const identity = await joinHollow({ name, hub: at, token, folder: `${site.folder}/n1` });
      const node = site.hold(HollowNode.start({ name, hub: at, identity }));
      const api = await site.client(kubeconfig);
      const pod: Pod = await api.request("POST", "/api/v1/namespaces/default/pods", {
        ...{ apiVersion: "v1", kind: "Pod", metadata: { name: "web" } },
        spec: {
          nodeName: name,
          automountServiceAccountToken: false,
          tolerations: [{ operator: "Exists" }],
          containers: [{ name: "main", image: "none" }],
        },
      });
      const { uid = "" } = pod.metadata;
      const status = async () => ((await api.request("GET", POD)) as Pod).status;
      await until("it runs", async () => (await status())?.phase === "Running");

      const refused = async (): Promise<number> => {
        const text = await call(`http://127.0.0.1:${site.port("hub-metrics")}/metrics`);
        const found = /intents_total\{kind="pod-status",outcome="refused"\} (\d+)/.exec(text);
        return Number(found?.[1] ?? 0);
      };
      const CHANGES = 5;
      for (let count = 1; count <= CHANGES; count++) {
        node.reports(uid, { hostIP: "1.2.3", hostIPs: [{ ip: "1.2.3" }], message: `${count}` });
        await until("the server has refused it", async () => await refused() === count);
      }
      await hub.process.prints(/intent refused.*\n/);
      const said = hub.process.output.split("\n").filter((line) => line.includes("intent refused"));
      assert.equal(said.length, 1, said.join("\n"));
      assert.match(said[0] ?? "", /hostIP.*1\.2\.3/);
      const told = await until("the pod says why", async () => {
        const { items } = await api.request("GET", "/api/v1/namespaces/default/events");
        return (items as Event[]).find(({ reason }) => reason === "StatusRefused");
      });
      assert.equal(told.involvedObject.uid, uid);
      assert.match(told.message ?? "", /hostIP.*1\.2\.3/);

      node.reports(uid, { hostIP: "192.0.2.1", hostIPs: [{ ip: "192.0.2.1" }], message: "well" });
      await until("what is right is taken", async () => (await status())?.message === "well");
      assert.equal(await refused(), CHANGES, "nothing was tried again unchanged");
    }),
});
