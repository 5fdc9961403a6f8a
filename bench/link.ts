/**
 * Figures of the link with many nodes: `hub-kb-per-node` (KiB of the hub process a connected idle
 * node), `reconnect-all-s` (hub killed and started: until all nodes are back), `hub-idle-cpu-percent`,
 * and `change-delivered-s`: one node, hub away for 10 s, from the hub's start to a change that
 * waited being committed at the node.
 *
 * `deno task bench link [NODES] [RUNS]`. Nodes are the agent's real link, in four
 * processes (250 nodes each and more).
 */
import { ms, seconds, sleep, systemClock } from "../core/base/mod.ts";
import { Child, conditions, type Cost, costOf, percentiles, print } from "./link_lib.ts";
import { seed } from "./watch.ts";

const NODES = Number(Deno.args[0] ?? 1000);
const RUNS = Number(Deno.args[1] ?? 7);
/** Few processes: each has a heap and a compiler of its own, and they share the machine with the hub. */
const PER_PROCESS = Math.max(250, Math.ceil(NODES / 4));

interface Figures {
  readonly kbPerNode: number;
  readonly anonymousPerNode: number;
  readonly connectAll: number;
  readonly idleCpu: number;
  readonly reconnectAll: number;
}

function note(text: string): void {
  // deno-lint-ignore no-console -- progress of a long bench
  console.error(text);
}

async function settle(hub: Child): Promise<Cost> {
  await sleep(systemClock, seconds(30));
  return costOf(hub.pid);
}

async function manyNodes(folder: string): Promise<Figures> {
  const hub = new Child("link_hub_lib.ts", [folder]);
  const { port } = await hub.next<{ port: number }>();
  await sleep(systemClock, seconds(10));
  const before = costOf(hub.pid);
  note(`hub alone: ${JSON.stringify(before)}`);
  const started = systemClock.now();
  const processes = Array.from({ length: Math.ceil(NODES / PER_PROCESS) }, (_, i) => {
    const count = Math.min(PER_PROCESS, NODES - i * PER_PROCESS);
    // Node 0 is the one with the pod; here all are alike.
    const args = [folder, `127.0.0.1:${port}`, String(1 + i * PER_PROCESS), String(count)];
    return new Child("link_nodes_lib.ts", args);
  });
  try {
    await hub.ask(`wait ${NODES}`);
    const connectAll = (systemClock.now() - started) / 1000;
    const after = await settle(hub);
    note(`hub with ${NODES} nodes: ${JSON.stringify(after)}`);
    await sleep(systemClock, seconds(20));
    const idleCpu = (costOf(hub.pid).cpu - after.cpu) / 20 * 100;
    note(`idle: ${Math.round(idleCpu)} % of a core`);
    await hub.kill();
    const again = new Child("link_hub_lib.ts", [folder, String(port)]);
    try {
      const { ready } = await again.next<{ ready: number }>();
      const { at } = await again.ask<{ at: number }>(`wait ${NODES}`);
      return {
        kbPerNode: (after.pss - before.pss) / NODES,
        anonymousPerNode: (after.anonymous - before.anonymous) / NODES,
        connectAll,
        idleCpu,
        reconnectAll: (at - ready) / 1000,
      };
    } finally {
      await again.kill();
    }
  } finally {
    for (const process of processes) await process[Symbol.asyncDispose]();
  }
}

/** Seconds from the hub's process start, and from its listening, to the change's commit. */
async function oneNode(folder: string): Promise<{ fromStart: number[]; fromReady: number[] }> {
  let hub = new Child("link_hub_lib.ts", [folder]);
  const { port } = await hub.next<{ port: number }>();
  await using node = new Child("link_nodes_lib.ts", [folder, `127.0.0.1:${port}`, "0", "1"]);
  await node.next();
  await node.next();
  const [fromStart, fromReady]: [number[], number[]] = [[], []];
  for (let run = 0; run < RUNS; run++) {
    // Longer than a healthy session needs, as in life.
    await sleep(systemClock, seconds(6));
    await hub.kill();
    await sleep(systemClock, seconds(10));
    const begin = systemClock.now();
    hub = new Child("link_hub_lib.ts", [folder, String(port), `waiting-${run}`]);
    const { ready } = await hub.next<{ ready: number }>();
    let seen = await node.next<{ value: string; at: number }>();
    while (seen.value !== `waiting-${run}`) seen = await node.next();
    fromStart.push((seen.at - begin) / 1000);
    fromReady.push(Math.max(0, seen.at - ready) / 1000);
    note(`run ${run}: ${fromStart.at(-1)} s from start, ${fromReady.at(-1)} s from listening`);
  }
  await hub.kill();
  return { fromStart, fromReady };
}

async function main(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skerry-bench-" });
  try {
    await seed(folder);
    const many = await manyNodes(folder);
    const one = await oneNode(folder);
    await sleep(systemClock, ms(0));
    const round = (value: number): number => Math.round(value * 100) / 100;
    print({
      bench: "link",
      conditions: conditions({
        nodes: NODES,
        heartbeatMs: 3300,
        outageBeforeChange: "hub killed 10 s",
        runs: RUNS,
      }),
      figures: [
        {
          name: "hub-kb-per-node",
          value: round(many.kbPerNode),
          unit: "KiB",
          goal: 100,
          beside: { "KubeEdge, measured": 458 },
        },
        { name: "hub-anonymous-kb-per-node", value: round(many.anonymousPerNode), unit: "KiB" },
        { name: "connect-all-s", value: round(many.connectAll), unit: "s" },
        { name: "reconnect-all-s", value: round(many.reconnectAll), unit: "s" },
        { name: "hub-idle-cpu-percent", value: round(many.idleCpu), unit: "% of a core" },
        {
          name: "change-delivered-s",
          value: round(percentiles(one.fromStart).p50),
          unit: "s",
          goal: 1,
          beside: { "KubeEdge, measured": 22.7 },
        },
        {
          name: "change-delivered-from-listening-s",
          value: round(percentiles(one.fromReady).p50),
          unit: "s",
        },
      ],
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

await main();
