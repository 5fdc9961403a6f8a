import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { type Node, RESOURCES } from "../../core/api/mod.ts";
import { bytes, minutes, ms, seconds, silentLogger, VirtualClock } from "../../core/base/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import type { Pressure } from "./node_conditions.ts";
import { NodeStatus } from "./node_service.ts";

/** A node whose world can be changed, and what it reported. */
function bed(clock: VirtualClock) {
  const store = openSqliteStore({ path: ":memory:", clock });
  const world = { pressures: new Set<Pressure>(), looks: 0 };
  const reports: Node[] = [];
  const events: string[] = [];
  const status = new NodeStatus({
    name: "n1",
    facts: {
      hostname: "n1",
      cpus: 1,
      memory: bytes(2 ** 30),
      architecture: "amd64",
      kernel: "6",
      osImage: "",
      machineId: "m",
      bootId: "b",
      addresses: [],
    },
    address: "192.0.2.1",
    labels: {},
    taints: [{ key: "edge", effect: "NoSchedule" }],
    version: "0.1.0",
    store,
    clock,
    log: silentLogger,
    probes: {
      engine: () => Promise.resolve(undefined),
      disk: () => Promise.resolve(undefined),
      rest: () => {
        world.looks++;
        return {
          extended: { capacity: {}, allocatable: {} },
          images: [],
          kept: { memory: bytes(0), disk: bytes(0) },
          pressures: world.pressures,
          strays: undefined,
        };
      },
    },
    report: (_tx, node) => reports.push(node),
    event: (_tx, { reason }) => events.push(reason),
    onAddresses: () => {},
  });
  return { store, world, reports, events, status };
}

Deno.test("NodeStatus looks every 10 s, reports changes and a heartbeat every 5 min", async () => {
  const clock = new VirtualClock();
  const { store, world, reports, events, status } = bed(clock);
  const stop = new AbortController();
  const running = status.run(stop.signal, () => {});
  await clock.advance(ms(0));
  strictEqual(reports.length, 1);
  deepStrictEqual(events.splice(0), [
    "NodeHasSufficientMemory",
    "NodeHasNoDiskPressure",
    "NodeHasSufficientPID",
    "NodeReady",
  ]);
  await clock.advance(minutes(4));
  strictEqual(world.looks, 25);
  strictEqual(reports.length, 1);
  world.pressures = new Set(["MemoryPressure"]);
  await clock.advance(seconds(10));
  strictEqual(reports.length, 2);
  deepStrictEqual(events, ["NodeHasInsufficientMemory"]);
  await clock.advance(minutes(5));
  strictEqual(reports.length, 3);
  const node = store.transact((tx) => tx.get({ resource: RESOURCES.nodes, name: "n1" })) as Node;
  deepStrictEqual(node.status, reports[2]?.status);
  stop.abort();
  await running;
  strictEqual(clock.size, 0);
  store[Symbol.dispose]();
});

Deno.test("NodeStatus looks at once when it is kicked, and once a second when it is kicked all the time", async () => {
  const clock = new VirtualClock();
  const { store, world, reports, status } = bed(clock);
  const stop = new AbortController();
  const running = status.run(stop.signal, () => {});
  await clock.advance(seconds(3));
  strictEqual(world.looks, 1);
  status.kick();
  await clock.advance(ms(0));
  strictEqual(world.looks, 2);
  for (let i = 0; i < 50; i++) {
    status.kick();
    await clock.advance(ms(100));
  }
  strictEqual(world.looks, 7);
  status.shutDown();
  await clock.advance(seconds(1));
  const ready = reports.at(-1)?.status?.conditions?.find(({ type }) => type === "Ready");
  deepStrictEqual([ready?.status, ready?.message], ["False", "node is shutting down"]);
  stop.abort();
  await running;
  store[Symbol.dispose]();
});

Deno.test("NodeStatus registers with its taints, and leaves them off once somebody has removed them", async () => {
  const clock = new VirtualClock();
  const { store, status } = bed(clock);
  const stop = new AbortController();
  const running = status.run(stop.signal, () => {});
  await clock.advance(ms(0));
  const taint = { key: "edge", effect: "NoSchedule" };
  const ref = { resource: RESOURCES.nodes, name: "n1" };
  const stored = (): Node => store.transact((tx) => tx.get(ref)) as Node;
  deepStrictEqual(stored().spec, { taints: [taint] });
  // As the hub sends it when an operator has removed the taint.
  const cleared = { ...stored(), spec: {} };
  store.transact((tx) => tx.put(RESOURCES.nodes, cleared));
  await clock.advance(minutes(6));
  deepStrictEqual(stored().spec, {});
  // Somebody deletes the Node, and the gateway joins again.
  store.transact((tx) => tx.purge(ref));
  await clock.advance(seconds(11));
  deepStrictEqual(stored().spec, { taints: [taint] });
  stop.abort();
  await running;
  store[Symbol.dispose]();
});
