import assert from "node:assert/strict";
import { systemClock } from "../../core/base/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { isReady, Site, stepsOf } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { Balancer } from "./balancer.ts";
import { TestCluster } from "./cluster.ts";
import {
  addressOf,
  type Api,
  Fleet,
  leasesOf,
  load,
  loadReady,
  loadUids,
  nodesOf,
} from "./fleet.ts";

const missing = lacks("kube", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const HUBS = [0, 1, 2] as const;
const NODES = 12;
const PODS = 24;

Deno.test({
  name: `one of three hubs is killed under load: its nodes go on at the others${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const cluster = site.hold(await TestCluster.start());
      await cluster.applyCrds();
      const { kubeconfig } = cluster.parts;
      const hubs = await Promise.all(HUBS.map((index) => site.replica(index, kubeconfig)));
      const alive = new Set<number>(HUBS);
      const balancer = site.hold(
        await Balancer.start(() => [...alive].map((index) => hubs[index]?.nodePort ?? 0)),
      );
      const api = await site.client(kubeconfig);
      const [hub] = hubs;
      assert.ok(hub);
      let fleet!: Fleet;

      await step("nodes join by one address and are Ready, spread over the hubs", async () => {
        fleet = await Fleet.join(site, { hub, address: balancer.address, count: NODES });
        await until("all are Ready", async () => {
          const nodes = await nodesOf(api);
          return nodes.length === NODES && nodes.every(isReady);
        });
        await until("every hub has some", async () => {
          const held = await heldBy(api);
          return HUBS.every((index) => countAt(held, index) > 0);
        });
      });

      await step("pods run on them", async () => {
        await cluster.untilPodsCanBeMade("default");
        await site.apply(kubeconfig, load(PODS));
        await until("all pods are ready", async () => await loadReady(api) === PODS, 60);
      });

      await step("a hub passes on what is asked of a node that another one holds", async () => {
        const held = await heldBy(api);
        const [from, to] = HUBS.filter((index) => countAt(held, index) > 0);
        assert.ok(from !== undefined && to !== undefined);
        const { nodes } = fleet;
        const node = (await nodesOf(api)).find((one) => addressOf(one) === `127.0.0.${from + 2}`);
        const port = node?.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 0;
        const name = node?.metadata.name ?? "";
        const at = nodes.findIndex((one) => one.name === name);
        const before = nodes[at];
        assert.ok(before);
        const ask = (): Promise<string> =>
          cluster.askKubelet(`127.0.0.${from + 2}:${port}`, "/pods");
        assert.equal(await ask(), `this is ${name}`);
        await before[Symbol.asyncDispose]();
        nodes[at] = site.hold(before.again(`127.0.0.1:${hubs[to]?.nodePort}`));
        await until("the Node says where it is", async () =>
          addressOf(await api.request("GET", `/api/v1/nodes/${name}`)) === `127.0.0.${to + 2}`);
        await until("it is passed on", async () =>
          await ask() === `this is ${name}`);
        await nodes[at]?.[Symbol.asyncDispose]();
        nodes[at] = site.hold(before.again(balancer.address));
        await until("it is back", () => nodes[at]?.connected);
      });

      const leasesBefore = await leasesOf(api);
      const podsBefore = await loadUids(api);

      await step(
        "kill -9 of one: its nodes are back on others within 5 s at the median",
        async () => {
          const held = await heldBy(api);
          const most = HUBS.toSorted((a, b) => countAt(held, b) - countAt(held, a))[0] ?? 0;
          fleet.forget();
          alive.delete(most);
          await hubs[most]?.process.kill();
          await until("its nodes are back", () => fleet.connected && fleet.gaps.length > 0, 60);
          const { gaps } = fleet;
          const median = gaps[gaps.length >> 1] ?? 0;
          assert.ok(median <= 5000, `${median} ms`);
        },
      );

      await step("nothing was lost or started again, and no Lease ran out", async () => {
        assert.deepEqual(await loadUids(api), podsBefore);
        await until("Leases are renewed", async () => {
          const now = await leasesOf(api);
          return [...leasesBefore].every(([name, at]) => (now.get(name) ?? 0) > at);
        }, 30);
        for (const at of (await leasesOf(api)).values()) {
          assert.ok(systemClock.now() - at < 40_000);
        }
        assert.ok((await nodesOf(api)).every(isReady));
        assert.equal(await loadReady(api), PODS);
      });

      await step("new pods reach all nodes", async () => {
        await site.kubectl(kubeconfig, ["scale", "deployment/load", `--replicas=${2 * PODS}`]);
        await until("twice as many are ready", async () => await loadReady(api) === 2 * PODS, 60);
      });
    }),
});

/** How many nodes the hub of this index holds; where its kubelets are: see `Site.replica`. */
function countAt(held: ReadonlyMap<string, number>, index: number): number {
  return held.get(`127.0.0.${index + 2}`) ?? 0;
}

/** How many nodes each hub holds, by their kubelets' address. */
async function heldBy(api: Api): Promise<Map<string, number>> {
  const held = new Map<string, number>();
  for (const node of await nodesOf(api)) {
    const address = addressOf(node);
    held.set(address, (held.get(address) ?? 0) + 1);
  }
  return held;
}
