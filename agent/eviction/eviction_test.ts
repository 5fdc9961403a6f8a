import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import type { Pod } from "../../core/api/mod.ts";
import { mib, ms, seconds, silentLogger, VirtualClock } from "../../core/base/mod.ts";
import type { NodeEvent } from "../node/mod.ts";
import { type PodBench, startBench, TEST_NODE, testPod } from "../pods/testing/mod.ts";
import { FakeMachine } from "../runtimes/fake/mod.ts";
import { Eviction } from "./eviction.ts";
import { measurePods } from "./measure.ts";
import { type Observations, parseThresholds } from "./thresholds.ts";

const GIB = mib(1024);
const never = new AbortController().signal;

/** Three pods that use 10, 200 and 300 MiB, and a node whose numbers the test sets. */
async function bed() {
  const clock = new VirtualClock();
  const machine = new FakeMachine({ clock });
  const uses: Record<string, number> = { small: 10, hog: 200, vital: 300 };
  machine.addImage("app:1");
  machine.script("app:1", ({ podName }) => ({
    usage: () => ({
      workingSet: mib(uses[podName] ?? 1),
      filesystem: { used: mib(podName === "small" ? 9 : 1), inodes: 1 },
    }),
  }));
  const world: { free: Observations; isOwn: string; reclaimed: () => void; reclaims: number } = {
    free: {},
    isOwn: "vital",
    reclaimed: () => {},
    reclaims: 0,
  };
  const told: NodeEvent[] = [];
  const orders: string[] = [];
  let kicks = 0;
  const runtime = machine.connect();
  // The manager asks eviction, and eviction asks the manager.
  const pods: { bench?: PodBench } = {};
  const eviction = new Eviction({
    clock,
    log: silentLogger,
    thresholds: parseThresholds("memory.available<100Mi,nodefs.available<10%"),
    observe: () => Promise.resolve(world.free),
    imagesApart: () => false,
    active: () => pods.bench?.manager.active() ?? [],
    isOwn: ({ metadata }) => metadata.name === world.isOwn,
    measure: async (some, how) => {
      const paths = pods.bench?.manager.paths;
      return paths ? await measurePods({ runtime, paths }, some, how) : new Map();
    },
    reclaim: () => {
      world.reclaims++;
      world.reclaimed();
      return Promise.resolve();
    },
    ended: ({ metadata }) => {
      orders.push(metadata.name);
      pods.bench?.manager.look(metadata.uid ?? "");
    },
    changed: () => kicks++,
    podEvent: () => {},
    nodeEvent: (event) => told.push(event),
  });
  const verdicts = {
    admit: () => undefined,
    terminate: ({ metadata }: Pod) => eviction.terminate(metadata.uid ?? ""),
  };
  const bench = pods.bench = await startBench({
    connect: () => machine.connect(),
    clock,
    verdicts,
  });
  const volumes = [{ name: "v", emptyDir: { sizeLimit: "1Mi" } }];
  bench.put(testPod("small", { nodeName: TEST_NODE, volumes }));
  bench.put(testPod("hog", { nodeName: TEST_NODE }));
  bench.put(testPod("vital", { nodeName: TEST_NODE }));
  for (const name of Object.keys(uses)) {
    await bench.until(`${name} runs`, () => bench.pod(name)?.status?.phase === "Running");
  }
  /** The status of a pod that has failed. */
  const ended = async (name: string): Promise<Pod["status"]> =>
    await bench.until(`${name} has failed`, async () => {
      await clock.advance(ms(1));
      const { status } = bench.pod(name) ?? {};
      return status?.phase === "Failed" && status;
    });
  return { clock, bench, eviction, world, told, orders, ended, kicks: () => kicks };
}

function memory(free: number): Observations {
  return { "memory.available": { available: mib(free), capacity: GIB } };
}

function disk(free: number): Observations {
  return { "nodefs.available": { available: free, capacity: 100 } };
}

Deno.test("Eviction ends the pod that uses most, one at a time, and no critical one", async () => {
  const { bench, eviction, world, told, orders, ended, kicks } = await bed();
  await using _bench = bench;
  world.free = memory(500);
  deepStrictEqual(await eviction.look(never), []);
  strictEqual(kicks(), 0);
  world.free = memory(90);
  const [first] = await eviction.look(never);
  strictEqual(first?.metadata.name, "hog");
  deepStrictEqual([...eviction.pressures], ["MemoryPressure"]);
  strictEqual(kicks(), 1);
  const status = await ended("hog");
  strictEqual(status?.reason, "Evicted");
  match(
    status?.message ?? "",
    /^The node was low on resource: memory\. Threshold quantity: 100Mi, available: 90Mi\. Container main was using 200Mi, request is 0, has larger consumption of memory\. $/,
  );
  const condition = status?.conditions?.find(({ type }) => type === "DisruptionTarget");
  deepStrictEqual([condition?.status, condition?.reason], ["True", "TerminationByKubelet"]);
  deepStrictEqual(told, [{
    type: "Warning",
    reason: "EvictionThresholdMet",
    message: "Attempting to reclaim memory",
  }]);
  await eviction.look(never);
  await eviction.look(never);
  deepStrictEqual(orders, ["hog", "small"], "the vital one is left, though it uses most");
  strictEqual(world.reclaims, 0, "images are no memory");
});

Deno.test("Eviction first removes what nobody uses, and evicts nobody when that is enough", async () => {
  const { bench, eviction, world, orders } = await bed();
  await using _bench = bench;
  world.free = disk(9);
  world.reclaimed = () => world.free = disk(30);
  deepStrictEqual(await eviction.look(never), []);
  world.free = disk(9);
  world.reclaimed = () => {};
  const [evicted] = await eviction.look(never);
  strictEqual(world.reclaims, 2);
  deepStrictEqual([...eviction.pressures], ["DiskPressure"]);
  strictEqual(evicted?.metadata.name, "small");
  deepStrictEqual(orders, ["small"]);
});

Deno.test("Eviction ends a pod whose volume is larger than its limit, and looks each minute", async () => {
  const { clock, bench, eviction, world, orders, ended } = await bed();
  await using _bench = bench;
  world.free = memory(500);
  deepStrictEqual(await eviction.look(never), []);
  const folder = `${bench.manager.paths.pod("uid-small")}/volumes/kubernetes.io~empty-dir/v`;
  await Deno.writeFile(`${folder}/big`, new Uint8Array(2 ** 21));
  await clock.advance(seconds(59));
  deepStrictEqual(await eviction.look(never), []);
  await clock.advance(seconds(1));
  await eviction.look(never);
  deepStrictEqual(orders, ["small"]);
  const message = 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". ';
  strictEqual((await ended("small"))?.message, message);
  await bench.until("its volumes are gone", async () => {
    await clock.advance(ms(1));
    return await Deno.stat(folder).then(() => false, () => true);
  });
});

Deno.test("Eviction waits for what it has ended, and then looks again at once", async () => {
  const { clock, bench, eviction, world, orders, ended } = await bed();
  await using _bench = bench;
  world.free = memory(90);
  const stop = new AbortController();
  const running = eviction.run(stop.signal, () => {});
  await bench.until("the hog is to end", () => orders.length === 1);
  await ended("hog");
  await bench.until("the next one is to end", async () => {
    await clock.advance(seconds(1));
    return orders.length === 2;
  });
  stop.abort();
  await clock.advance(ms(0));
  await running;
});
