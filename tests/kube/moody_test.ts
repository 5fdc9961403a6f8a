import assert from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import { isReady, Site, stepsOf } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { ACCOUNT, applyRights, tokenOf } from "./chart.ts";
import { TestCluster } from "./cluster.ts";
import { Fleet, load, loadOf, loadReady, loadUids, nodesOf } from "./fleet.ts";
import { type Mood, MoodyServer } from "./moody_server.ts";

const missing = lacks("kube", "helm", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODES = 4;
const PODS = 8;
/** Requests of the hub that are spoilt in each mood. */
const SPOILT = 30;

Deno.test({
  name:
    `an API server that throttles, fails, denies and breaks off costs a hub no session${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const cluster = site.hold(await TestCluster.start());
      await cluster.applyCrds();
      await applyRights(cluster);
      const { kubeconfig } = cluster.parts;
      const ca = await Deno.readTextFile(cluster.ca);
      const moody = site.hold(await MoodyServer.start(cluster.client.server, ca));
      const own = `${site.folder}/hub.kubeconfig`;
      await Deno.writeTextFile(own, configOf(moody, await tokenOf(cluster, ACCOUNT)));
      const hub = { ...await site.hubOn(own, ["--applications=off"]), kubeconfig };
      const api = await site.client(kubeconfig);
      const address = `127.0.0.1:${hub.nodePort}`;
      const fleet = await Fleet.join(site, { hub, address, count: NODES });
      await until("all are Ready", async () => {
        const all = await nodesOf(api);
        return all.length === NODES && all.every(isReady);
      });
      await cluster.untilPodsCanBeMade("default");
      await site.apply(kubeconfig, load(PODS));
      await until("all pods are ready", async () => await loadReady(api) === PODS);
      let pods = await loadUids(api);
      fleet.forget();

      const moods: Mood[] = ["throttles", "fails", "denies", "cuts"];
      for (const [round, mood] of moods.entries()) {
        await step(`it ${mood}: what nodes report is written in the end`, async () => {
          const { spoilt } = moody;
          moody.mood = mood;
          for (const node of fleet.nodes) {
            for (const uid of node.pods()) node.restarted(uid, round + 1);
          }
          // What is new must reach the nodes all the same.
          const replicas = PODS + round + 1;
          await site.kubectl(kubeconfig, ["scale", "deployment/load", `--replicas=${replicas}`]);
          await until("it has spoilt much", () => moody.spoilt >= spoilt + SPOILT, 60);
          moody.mood = "well";
          await until("new pods run", async () => await loadReady(api) === replicas, 90);
          await until("reports are written", async () =>
            (await loadOf(api)).filter(({ status }) =>
              status?.containerStatuses?.[0]?.restartCount === round + 1
            ).length === replicas - 1, 90);
          const now = await loadUids(api);
          assert.ok(
            pods.every((uid) =>
              now.includes(uid)
            ),
            "a pod is another",
          );
          pods = now;
        });
      }

      await step("no session has ended, and no node was lost", async () => {
        assert.deepEqual(fleet.gaps, []);
        assert.ok(fleet.connected);
        assert.equal(hub.process.code, undefined);
        assert.ok((await nodesOf(api)).every(isReady));
        const held = fleet.nodes.flatMap((node) => [...node.pods()]).sort();
        assert.deepEqual(held, pods);
      });
    }),
});

/** A kubeconfig of the service account at that server. */
function configOf({ endpoint: { server, ca } }: MoodyServer, token: string): string {
  const cluster = { server, "certificate-authority-data": btoa(ca) };
  return JSON.stringify({
    "current-context": "hub",
    contexts: [{ name: "hub", context: { cluster: "hub", user: "hub" } }],
    clusters: [{ name: "hub", cluster }],
    users: [{ name: "hub", user: { token } }],
  });
}
