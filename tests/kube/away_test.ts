import assert from "node:assert/strict";
import type { Event } from "../../core/api/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { call, isReady, podsOf, Site, stepsOf } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { Balancer } from "./balancer.ts";
import { TestCluster } from "./cluster.ts";
import { Fleet, load, loadOf, loadReady, loadUids, nodesOf } from "./fleet.ts";
import { probedReplica, ReadyPorts } from "./ready_ports.ts";

const missing = lacks("kube", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const HUBS = [0, 1] as const;
const RETRIED = /^skerry_hub_intents_total\{[^}]*outcome="retried"\} (\d+)$/gm;
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
const NODES = 8;
const PODS = 16;
/** Seconds: leaders give up after 10 and are replaced after 15, and nodes are lost after GRACE. */
const AWAY = 25;
const GRACE = 16;
/** Seconds: no call waits longer than 30, so that each has given up twice. */
const STILL = 65;
/** Seconds: a hub asks at least once a second whether the server answers, and waits 2 for that. */
const SOON = 5;

Deno.test({
  name: `nodes come back to a hub whose API server is away, and nothing is lost${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const cluster = site.hold(await TestCluster.start({ nodeGrace: GRACE }));
      await cluster.applyCrds();
      const { parts } = cluster;
      const { kubeconfig } = parts;
      const hubs = await Promise.all(HUBS.map((index) => site.replica(index, kubeconfig)));
      const [hub] = hubs;
      assert.ok(hub);
      const ready = site.hold(
        new ReadyPorts(() => HUBS.map((index) => probedReplica(site, index))),
      );
      await until("both are ready", () => ready.ports.length === 2);
      const balancer = site.hold(await Balancer.start(() => ready.ports));
      let api = await site.client(kubeconfig);
      const fleet = await Fleet.join(site, { hub, address: balancer.address, count: NODES });
      let pods: string[] = [];

      await step("pods run on many nodes", async () => {
        await until("all nodes are Ready", async () => {
          const nodes = await nodesOf(api);
          return nodes.length === NODES && nodes.every(isReady);
        });
        await cluster.untilPodsCanBeMade("default");
        await site.apply(kubeconfig, load(PODS));
        await until("all pods are ready", async () => await loadReady(api) === PODS, 60);
        pods = await loadUids(api);
      });

      /** Breaks all links; returns when all are back. */
      const cut = async (): Promise<void> => {
        fleet.forget();
        balancer.cut();
        await until("all were cut", () => fleet.cut === NODES);
        await until("all are back", () => fleet.connected);
      };
      const held = (): string[] =>
        fleet.nodes.flatMap((node) => [...node.pods()]).filter((uid) => pods.includes(uid)).sort();

      const since = performance.now();
      await step("it stands still: links that are cut come back all the same", async () => {
        await parts.signal("apiserver", "SIGSTOP");
        await cut();
      });

      await step("it is killed: the same", async () => {
        await parts.signal("apiserver", "SIGKILL");
        await until("it is gone", async () => await parts.pid("apiserver") === undefined);
        await cut();
        // One that is busy may miss a probe.
        await until("both hubs stay ready", () => ready.ports.length === 2);
      });

      await step("what happens meanwhile waits", async () => {
        for (const node of fleet.nodes) for (const uid of node.pods()) node.restarted(uid, 3);
        await until("it is away for long", () => performance.now() - since > AWAY * 1000, AWAY);
        await cut();
        assert.deepEqual(held(), pods);
      });

      await step(
        "it is back with a history that was compacted: all is as it should be",
        async () => {
          await parts.compactHistory();
          await parts.start("apiserver");
          api = await site.client(kubeconfig);
          await until("what happened is told", async () =>
            (await loadOf(api)).every(({ status }) =>
              status?.containerStatuses?.[0]?.restartCount === 3
            ), 60);
          const path = "/api/v1/namespaces/default/events?fieldSelector=reason%3DRestarted";
          await until("and the Events", async () => {
            const { items }: { items: Event[] } = await api.request("GET", path);
            return items.length === PODS;
          }, 60);
          await until(
            "nodes and pods are ready",
            async () =>
              (await nodesOf(api)).every(isReady) && await loadReady(api) === PODS,
            60,
          );
          assert.deepEqual(await loadUids(api), pods);
          assert.deepEqual(held(), pods);
        },
      );

      await step("the logs say it in a few lines", async () => {
        for (const { process } of hubs) {
          await process.prints(/the API server is back/);
          const lines = process.output.split("\n").filter((line) =>
            line.startsWith("{") && line.endsWith("}")
          )
            .map((line) =>
              JSON.parse(line) as { level: string; msg: string }
            );
          const count = (text: string): number => lines.filter(({ msg }) => msg === text).length;
          const warnings = lines.filter(({ level }) => level === "warn").map(({ msg }) => msg);
          assert.ok([1, 2].includes(count("the API server is away")), warnings.join("\n"));
          assert.equal(count("the API server is back"), 1);
          const often = warnings.filter((text) =>
            warnings.filter((one) => one === text).length > 2
          );
          assert.deepEqual(often, [], process.output);
        }
      });

      await step("the hubs go on as before", async () => {
        for (const { process } of hubs) {
          assert.equal(process.code, undefined);
        }
        // Not by the scheduler: that takes half a minute to look again.
        await site.apply(
          kubeconfig,
          ...fleet.nodes.map(({ name }) => ({
            apiVersion: "v1",
            kind: "Pod",
            metadata: { name: `later-${name}`, namespace: "default" },
            spec: {
              nodeName: name,
              automountServiceAccountToken: false,
              containers: [{ name: "main", image: "none" }],
            },
          })),
        );
        await until(
          "new pods run",
          async () => (await podsOf(api)).filter(isReady).length === PODS + NODES,
        );
        await until("all nodes are Ready", async () => (await nodesOf(api)).every(isReady));
      });

      await step(
        "it stands still for long: what happens waits, and is written at once",
        async () => {
          const retried = async (): Promise<number> =>
            sum(
              await Promise.all(HUBS.map(async (index) => {
                const port = site.port(`hub${index}-metrics`);
                const text = await call(`http://127.0.0.1:${port}/metrics`);
                return sum([...text.matchAll(RETRIED)].map(([, count]) => Number(count)));
              })),
            );
          const before = await retried();
          const restart = (count: number): void => {
            for (const node of fleet.nodes) {
              for (const uid of node.pods()) {
                node.restarted(uid, count);
              }
            }
          };
          await parts.signal("apiserver", "SIGSTOP");
          const still = performance.now();
          restart(4);
          await until(
            "it has been still for long",
            () => performance.now() - still > STILL * 1000,
            STILL + 5,
          );
          restart(5);
          await parts.signal("apiserver", "SIGCONT");
          await until("it answers", () => nodesOf(api));
          await until("what happened is told", async () =>
            (await podsOf(api)).every(({ status }) =>
              status?.containerStatuses?.[0]?.restartCount === 5
            ), 3 * SOON);
          assert.equal(await retried(), before, "nothing was sent back to a node");
          await until("all nodes are Ready", async () =>
            (await nodesOf(api)).every(isReady));
        },
      );
    }),
});
