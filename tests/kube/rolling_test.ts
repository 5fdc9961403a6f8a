import assert from "node:assert/strict";
import { systemClock } from "../../core/base/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import {
  containersOf,
  COUNT,
  type HubAt,
  isReady,
  nodeReady,
  podOf,
  readyPod,
  shellPod,
  Site,
  stepsOf,
} from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { Balancer } from "./balancer.ts";
import { accountKubeconfig, applyRights, renderChart } from "./chart.ts";
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
import { joinGateway } from "./gateway.ts";
import { probedReplica, ReadyPorts } from "./ready_ports.ts";

const missing = lacks("kube", "helm", "kubectl", "containerd");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODES = 10;
const PODS = 20;
const CHART = ["--set=replicas=3", "--set=peerCIDR=127.0.0.0/8", "--set=drainSeconds=5"];

Deno.test({
  name: `three hubs are replaced under load, then one is killed${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const cluster = site.hold(await TestCluster.start());
      await cluster.applyCrds();
      await applyRights(cluster, CHART);
      const { kubeconfig } = cluster.parts;
      const own = await accountKubeconfig(cluster, site.folder);
      const [deployment] = await renderChart([
        "--show-only=templates/deployment.yaml",
        ...CHART,
      ]);
      const { terminationGracePeriodSeconds: grace, containers } = deployment?.["spec"].template
        .spec;
      const flags: string[] = containers[0].args.filter((one: string) =>
        /^--(drain-seconds|applications|impersonation)=/.test(one)
      );
      const hubs = new Map<number, HubAt>();
      const startHub = async (index: number): Promise<void> => {
        hubs.set(index, { ...await site.replica(index, own, flags), kubeconfig });
      };
      await Promise.all([0, 1, 2].map(startHub));
      const ready = site.hold(
        new ReadyPorts(() => [...hubs.keys()].map((index) => probedReplica(site, index))),
      );
      const readyHubs = (count: number): Promise<unknown> =>
        until(`${count} hubs are ready`, () => ready.ports.length === count);
      await readyHubs(3);
      const balancer = site.hold(await Balancer.start(() => ready.ports));
      const api = await site.client(kubeconfig);
      const [hub] = hubs.values();
      assert.ok(hub);
      const fleet = await Fleet.join(site, { hub, address: balancer.address, count: NODES });
      let before: Record<string, string> = {};
      let pods: string[] = [];

      await step("nodes and a gateway run pods", async () => {
        const containerd = await site.containerd();
        const { address } = balancer;
        await joinGateway(site, { name: "gw1", hub, api, address, containerd });
        // What follows is for the others.
        await site.kubectl(kubeconfig, ["cordon", "gw1"]);
        await cluster.untilPodsCanBeMade("default");
        await site.apply(kubeconfig, shellPod("web", COUNT, { nodeName: "gw1" }), load(PODS));
        await readyPod(api, "web");
        before = containersOf([await podOf(api, "web") ?? assert.fail()]);
        await until("all pods are ready", async () => await loadReady(api) === PODS, 60);
        pods = await loadUids(api);
      });

      /** Which hub holds the gateway. */
      const holder = async (): Promise<number> => {
        const node = (await nodesOf(api)).find(({ metadata }) => metadata.name === "gw1");
        return Number(/^127\.0\.0\.(\d+)$/.exec(node ? addressOf(node) : "")?.[1]) - 2;
      };
      const streams = (name: string) =>
        [["logs", "-f", "--tail=1"], ["exec"]].map(([verb = "", ...args]) =>
          site.start(
            `kubectl ${verb} ${name}`,
            site.kubectlCommand(kubeconfig, [
              ...[verb, "web", ...args],
              ...(verb === "exec" ? ["--", "sh", "-c", COUNT] : []),
            ]),
          )
        );
      const exec = async (): Promise<boolean> =>
        await site.kubectl(kubeconfig, ["exec", "web", "--", "echo", "here"]) === "here\n";
      const leases = new LeaseWatch(api);

      await step("each is replaced as a Deployment does it", async () => {
        site.hold(leases);
        fleet.forget();
        for (const old of [0, 1, 2]) {
          const open = streams(`of ${old}`);
          for (const stream of open) await stream.prints(/line \d+/);
          const held = await holder() === old;
          await startHub(old + 3);
          await readyHubs(4);
          const leaving = hubs.get(old)?.process;
          leaving?.signal("SIGTERM");
          await until("it is not ready", () => ready.ports.length === 3);
          assert.equal(await leaving?.exit(grace), 0);
          hubs.delete(old);
          // Those that went by the old one have ended; none hangs, whichever way it took.
          for (const stream of open) {
            const seen = stream.output.length;
            // Of one that went by the old hub a last word may come after that hub's end.
            await until(
              `${stream.name} has ended${held ? "" : ", or goes on"}`,
              () => stream.code !== undefined || (!held && stream.output.length > seen),
              30,
            );
            await stream.kill();
          }
          await until("a new stream works", exec);
        }
      });

      await step("no node was away for long, and nothing was started again", async () => {
        await until("all are linked", () => fleet.connected);
        const longest = fleet.gaps.at(-1) ?? 0;
        assert.ok(longest < 10_000, `${longest} ms`);
        assert.ok(leases.oldest < 30_000, `a Lease was ${leases.oldest} ms old`);
        assert.ok((await nodesOf(api)).every(isReady));
        assert.deepEqual(await loadUids(api), pods);
        assert.equal(await loadReady(api), PODS);
        assert.deepEqual(containersOf([await podOf(api, "web") ?? assert.fail()]), before);
      });

      await step("the one that holds the gateway is killed: exec works by another", async () => {
        const index = await holder();
        await hubs.get(index)?.process.kill();
        hubs.delete(index);
        await until("exec works", exec, 30);
        assert.notEqual(await holder(), index);
        assert.deepEqual(containersOf([await podOf(api, "web") ?? assert.fail()]), before);
        assert.equal(await nodeReady(api, "gw1"), "True");
      });
    }),
});

/** How old Leases of nodes get. */
class LeaseWatch implements AsyncDisposable {
  readonly #running: Promise<void>;
  #over = false;
  /** In ms. */
  oldest = 0;

  constructor(api: Api) {
    this.#running = this.#run(api);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    await this.#running;
  }

  async #run(api: Api): Promise<void> {
    await until("it is over", async () => {
      for (const at of (await leasesOf(api)).values()) {
        this.oldest = Math.max(this.oldest, systemClock.now() - at);
      }
      return this.#over;
    }, 600);
  }
}
