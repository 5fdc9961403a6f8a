import assert from "node:assert/strict";
import { type Pod, RESOURCES } from "../../core/api/mod.ts";
import {
  isAppError,
  ms,
  seconds,
  silentLogger,
  sleep,
  systemClock,
  systemRandom,
} from "../../core/base/mod.ts";
import { Informer } from "../../core/cache/mod.ts";
import { isUnreachable, KubeClient, RemoteStore } from "../../core/kube/mod.ts";
import { LINK } from "../../core/link/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { call, readyPod, shellPod, Site, stepsOf } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { Balancer } from "./balancer.ts";
import { TestCluster } from "./cluster.ts";
import { joinGateway } from "./gateway.ts";
import { ACCOUNT, ROBOT_RIGHTS } from "./robot.ts";

const missing = lacks("kube", "containerd", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const HUBS = [0, 1] as const;
const DEFAULT = "/api/v1/namespaces/default";
/** In ms: a link that says nothing for so long is dead; and some for a busy machine. */
const DEAD = LINK.heartbeat * (LINK.missedHeartbeats + 1) + 15_000;
/** In ms: a hub asks a server that lets a read wait, and waits 2 s for that; and some. */
const SILENT = 15_000;
/** In ms: what is known to be away is not waited for, for that would take 2 s. */
const AT_ONCE = 1800;
const random = systemRandom;

/** A client of the gateway's door with a pod's token, that reads all the time and watches. */
class Robot implements AsyncDisposable {
  readonly #client: KubeClient;
  readonly #informer: Informer<Pod>;
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;
  /** How long the longest read took since {@linkcode Robot.forget}, with its retries. */
  longest = 0;
  #forgotten = 0;
  /** Errors that no client gets over by trying again. */
  readonly errors: string[] = [];

  constructor(endpoint: { readonly server: string; readonly ca: string; readonly token: string }) {
    const { server, ca, token } = endpoint;
    const parts = { clock: systemClock, random, log: silentLogger };
    this.#client = new KubeClient({
      ...parts,
      endpoint: { server, ca, token: () => Promise.resolve(token) },
      timeout: seconds(70),
    });
    const store = new RemoteStore({ ...parts, client: this.#client });
    const selection = { namespace: "default" };
    this.#informer = new Informer<Pod>({ ...parts, store, resource: RESOURCES.pods, selection });
    this.#running = Promise.all([this.#informer.run(this.#stop.signal), this.#readOn()]);
    this.#running.catch(() => {});
  }

  /** The pods that the watch shows. */
  get seen(): string[] {
    return namesOf(this.#informer.view.list());
  }

  /** The pods, by one request; again when there is no answer or it says so, as clients do. */
  async read(): Promise<string[]> {
    const from = performance.now();
    const signal = this.#stop.signal;
    for (;;) {
      try {
        const { items } = await this.#client.call({
          method: "GET",
          path: `${DEFAULT}/pods`,
          signal,
        });
        const since = Math.max(from, this.#forgotten);
        this.longest = Math.max(this.longest, performance.now() - since);
        return namesOf(items);
      } catch (error) {
        // One that broke off, too: whoever was killed was in the midst of its answer.
        const again = isAppError(error, "ServiceUnavailable") ? error.retryAfterSeconds : undefined;
        if (again === undefined && !isUnreachable(error)) throw error;
        await sleep(systemClock, seconds(again ?? 0.1), signal);
      }
    }
  }

  /** The name of a pod, by one request. */
  async get(name: string): Promise<string> {
    const { metadata } = await this.#client.call({
      method: "GET",
      path: `${DEFAULT}/pods/${name}`,
    });
    return metadata.name;
  }

  async write(name: string): Promise<void> {
    const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name } };
    await this.#client.call({ method: "POST", path: `${DEFAULT}/configmaps`, body });
  }

  /** Counts anew: of reads that are under way, what they take from now on. */
  forget(): void {
    this.longest = 0;
    this.#forgotten = performance.now();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("the pod stops"));
    await this.#running.catch(() => {});
    this.#client[Symbol.dispose]();
  }

  async #readOn(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.read();
        await sleep(systemClock, ms(100), signal);
      } catch (error) {
        if (!signal.aborted) this.errors.push(String(error));
      }
    }
  }
}

/** What it gives, and how long that took, in ms. */
async function timed<T>(act: () => Promise<T>): Promise<[T, number]> {
  const from = performance.now();
  const result = await act();
  return [result, performance.now() - from];
}

function namesOf(pods: readonly Pod[]): string[] {
  return pods.map(({ metadata }) => metadata.name).sort();
}

Deno.test({
  name:
    `what a pod asks of the API goes on without its hub, its network or the API server${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const cluster = site.hold(await TestCluster.start());
      await cluster.applyCrds();
      const { parts } = cluster;
      const { kubeconfig } = parts;
      const containerd = await site.containerd();
      const hubs = await Promise.all(HUBS.map((index) => site.replica(index, kubeconfig)));
      const alive = new Set<number>(HUBS);
      const balancer = site.hold(
        await Balancer.start(() => [...alive].map((index) => hubs[index]?.nodePort ?? 0)),
      );
      const api = await site.client(kubeconfig);
      const [hub] = hubs;
      assert.ok(hub);
      const { address } = balancer;
      const agent = await joinGateway(site, { name: "gw1", hub, api, address, containerd });
      /** A pod that only the cluster knows. */
      const nowhere = (name: string) => shellPod(name, "sleep 1", { nodeSelector: { no: "node" } });
      /** Which hubs think that they hold the node. */
      const held = (): Promise<boolean[]> =>
        Promise.all(HUBS.map(async (index) => {
          const port = site.port(`hub${index}-metrics`);
          return (await call(`http://127.0.0.1:${port}/metrics`)).includes(
            "\nskerry_hub_connected_nodes 1\n",
          );
        }));
      let robot!: Robot;

      await step("a pod's client reads and watches by the gateway's door", async () => {
        await cluster.untilPodsCanBeMade("default");
        await site.apply(kubeconfig, ...ROBOT_RIGHTS);
        await site.apply(
          kubeconfig,
          shellPod("app", "sleep 1000", { serviceAccountName: "robot" }),
          nowhere("one"),
        );
        await readyPod(api, "app");
        const file = (name: string): Promise<string> =>
          site.kubectl(agent.kubeconfig, ["exec", "app", "--", "cat", `${ACCOUNT}/${name}`]);
        robot = site.hold(
          new Robot({
            server: `https://127.0.0.1:${site.port("gw1-api")}`,
            ca: await file("ca.crt"),
            token: (await file("token")).trim(),
          }),
        );
        await until("it sees the cluster", () => robot.seen.join() === "app,one");
        await robot.write("zero");
      });

      await step("the hub that holds the node is killed", async () => {
        const holder = (await held()).indexOf(true);
        robot.forget();
        alive.delete(holder);
        await hubs[holder]?.process.kill();
        await until("the cluster answers again", async () => {
          await robot.write("one").catch((error) => {
            if (!isAppError(error, "AlreadyExists")) throw error;
          });
          return (await robot.read()).join() === "app,one";
        });
        await site.apply(kubeconfig, nowhere("two"));
        await until("its watch goes on", () => robot.seen.join() === "app,one,two");
        assert.ok(robot.longest < DEAD, `a read took ${robot.longest} ms`);
        assert.deepEqual(robot.errors, []);
        hubs[holder] = await site.replica(holder, kubeconfig);
        alive.add(holder);
      });

      await step("the network is silent: the node answers when its link is dead", async () => {
        robot.forget();
        // So that there are connections that wait for the next request.
        await Promise.all(Array.from({ length: 4 }, () => robot.read()));
        balancer.silence();
        const from = performance.now();
        assert.deepEqual(await robot.read(), ["app"]);
        const took = performance.now() - from;
        assert.ok(took < DEAD, `${took} ms`);
        await until("its watch shows what the node holds", () => robot.seen.join() === "app");
        assert.ok(robot.longest < DEAD, `a read took ${robot.longest} ms`);
        await assert.rejects(robot.write("never"), /hub is away.*nothing can be written/);
      });

      await step(
        "the network is back: the cluster answers, over connections that live",
        async () => {
          robot.forget();
          balancer.heal();
          await until("the cluster answers", () => robot.seen.join() === "app,one,two");
          await robot.write("two");
          assert.deepEqual(await robot.read(), ["app", "one", "two"]);
          assert.ok(robot.longest < DEAD, `a read took ${robot.longest} ms`);
          assert.deepEqual(robot.errors, []);
        },
      );

      /** The server has gone a moment ago, nobody was told, and a write was just begun. */
      const goesAway = async (write: string): Promise<void> => {
        robot.forget();
        const doubt = robot.write(write).then(() => "it was written", String);
        assert.equal(await robot.get("app"), "app");
        assert.deepEqual(await robot.read(), ["app"]);
        await until("its watch shows what the node holds", () => robot.seen.join() === "app");
        // Refused at once, when the node was told before the write came.
        assert.match(
          await doubt,
          /away.*(may have been done|nothing can be written)|cannot be asked now/,
        );
        assert.ok(robot.longest < SILENT, `a read took ${robot.longest} ms`);
        robot.forget();
        assert.deepEqual(await robot.read(), ["app"]);
        assert.equal(await robot.get("app"), "app");
        assert.ok(robot.longest < AT_ONCE, `a read took ${robot.longest} ms`);
        const [refusal, took] = await timed(() => robot.write("never").then(() => "", String));
        assert.match(refusal, /API server is away.*nothing can be written/);
        assert.ok(took < AT_ONCE, `a write was refused after ${took} ms`);
      };
      const isBack = async (pod: string): Promise<void> => {
        const all = ["app", "one", "two", pod].sort().join();
        await site.apply(kubeconfig, nowhere(pod));
        await until("its watch is of the cluster", () => robot.seen.join() === all);
        assert.equal((await robot.read()).join(), all);
        await robot.write(pod);
        assert.deepEqual(robot.errors, []);
        await site.kubectl(kubeconfig, ["delete", "pod", pod, "--grace-period=0", "--force"]);
        await until("its watch goes on", () => robot.seen.join() === "app,one,two");
      };

      await step("the API server stands still: the node answers, and its watch ends", async () => {
        // The end of a session ends the requests of its node.
        await until(
          "no hub has a session from before the silence",
          async () => (await held()).filter((one) => one).length === 1,
        );
        await parts.signal("apiserver", "SIGSTOP");
        await goesAway("still");
      });

      await step("it goes on: the cluster answers again", async () => {
        await parts.signal("apiserver", "SIGCONT");
        await until("its watch shows the cluster", () => robot.seen.join() === "app,one,two");
        await isBack("three");
      });

      await step("the API server is killed: the same", async () => {
        await parts.signal("apiserver", "SIGKILL");
        await goesAway("killed");
      });

      await step("it is started again: the cluster answers again", async () => {
        await parts.start("apiserver");
        await until("its watch shows the cluster", () => robot.seen.join() === "app,one,two");
        await isBack("four");
      });
    }),
});
