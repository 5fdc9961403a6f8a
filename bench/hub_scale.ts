/**
 * What a hub costs on a real API server, with hollow nodes (the agent's own link, no runtime) in a
 * process of their own: memory and CPU a node, API writes, the way of a pod from its binding to its
 * node, and the return of all nodes after the hub was killed.
 *
 *     deno task bench hub-scale [NODES] [PODS A NODE]
 */
import { ms, seconds, sleep, systemClock, systemRandom } from "../core/base/mod.ts";
import { type Node, type Pod, type ResourceDef, RESOURCES } from "../core/api/mod.ts";
import { Informer } from "../core/cache/mod.ts";
import { clusterAccess } from "../core/kube/mod.ts";
import { HUB_OPTIONS, parseOptions } from "../core/parts/mod.ts";
import type { PartSpec } from "../cli/launch.ts";
import { TestCluster } from "../tests/kube/cluster.ts";
import { isReady } from "../tests/e2e/gateway_lib.ts";
import { load } from "../tests/kube/fleet.ts";
import { freePort } from "../tools/free_port.ts";
import { figure, note, round } from "./figures_lib.ts";
import { Child, conditions, percentiles, print } from "./link_lib.ts";
import { cpuOf, memoryOf } from "./memory_lib.ts";
import { Part } from "./part_lib.ts";

const NODES = Number(Deno.args[0] ?? 500);
const PODS = Number(Deno.args[1] ?? 5);
const IDLE = seconds(60);

await using cluster = await TestCluster.start();
await cluster.applyCrds();
await cluster.untilPodsCanBeMade("default");
const folder = await Deno.makeTempDir({ prefix: "skerry-bench-" });
const port = freePort();
const spec: PartSpec = {
  part: "hub",
  options: parseOptions(HUB_OPTIONS, [
    ...[`--kubeconfig=${cluster.parts.kubeconfig}`, `--state-dir=${folder}`],
    ...[`--node-port=${port}`, `--metrics-port=${freePort()}`, `--webhook-port=${freePort()}`],
    `--kubelet-port=20000`,
  ]),
  cluster: await clusterAccess(cluster.parts.kubeconfig),
};
// Lists of so many objects, again and again, would be most of what the server does.
const stopped = new AbortController();
const nodesSeen = follow(RESOURCES.nodes);
const podsSeen = follow(RESOURCES.pods, "default");
let hub = new Part(spec);
try {
  await hub.ready;
  await sleep(systemClock, seconds(5));
  const empty = memoryOf(hub.pid).pss;
  note(`hub without nodes: ${Math.round(empty)} MiB`);
  const joining = systemClock.monotonic();
  await using nodes = new Child("hub_scale_nodes_lib.ts", [
    ...[cluster.parts.kubeconfig, `127.0.0.1:${port}`, String(NODES)],
  ]);
  await nodes.next();
  await untilReady();
  note(`${NODES} nodes are Ready after ${seconded(joining)} s`);

  const bound = new Map<string, number>();
  const stop = new AbortController();
  const watching = watchBindings(bound, stop.signal);
  await cluster.apply(load(NODES * PODS));
  await untilRunning(NODES * PODS);
  note(`${NODES * PODS} pods are Running`);
  const seen = new Map(await nodes.ask<[string, number][]>("seen"));
  stop.abort();
  await watching;
  const waits = [...seen].flatMap(([uid, at]) => {
    const from = bound.get(uid);
    return from === undefined ? [] : [Math.max(0, at - from)];
  });
  const { p50, p99 } = percentiles(waits);

  await sleep(systemClock, seconds(20));
  const [cpu, writes] = [cpuOf(hub.pid), await apiWrites()];
  await sleep(systemClock, IDLE);
  const share = (cpuOf(hub.pid) - cpu) / (IDLE / 1000);
  const rate = (await apiWrites() - writes) / (IDLE / 1000);
  const full = memoryOf(hub.pid).pss;
  note(`idle: ${Math.round(full)} MiB, ${round(share * 100, 1)} % of a core`);

  const leases = await leaseTransitions();
  const killed = systemClock.monotonic();
  await hub.stop("SIGKILL");
  hub = new Part(spec);
  await untilConnected(nodes);
  const linked = seconded(killed);
  await untilReady();
  const ready = seconded(killed);
  const lost = await leaseTransitions() - leases;

  print({
    bench: "hub-scale",
    conditions: conditions({
      nodes: NODES,
      pods: NODES * PODS,
      server: `kube-apiserver ${cluster.parts.programs.version} on the same machine`,
    }),
    figures: [
      figure("hub-pss-empty", round(empty, 1), "MiB"),
      figure("hub-pss", round(full, 1), "MiB"),
      figure("pss-per-node", round((full - empty) * 1024 / NODES, 1), "KiB"),
      figure("cpu-per-1000-nodes", round(share * 100 * 1000 / NODES, 2), "% of a core"),
      figure("api-writes-per-1000-nodes", round(rate * 1000 / NODES, 1), "1/s"),
      figure("bind-to-node-p50", round(p50, 1), "ms"),
      figure("bind-to-node-p99", round(p99, 1), "ms"),
      figure("storm-linked", linked, "s"),
      figure("storm-ready", ready, "s"),
      figure("storm-nodes-lost", lost, "nodes", { goal: 0 }),
    ],
  });
} finally {
  stopped.abort(new Error("over"));
  await hub.stop();
  await Deno.remove(folder, { recursive: true });
}

function seconded(since: number): number {
  return round((systemClock.monotonic() - since) / 1000, 2);
}

function follow(resource: ResourceDef, namespace?: string): Informer {
  const informer = new Informer({
    ...{ store: cluster.store, resource, clock: systemClock, random: systemRandom },
    selection: namespace === undefined ? {} : { namespace },
  });
  informer.run(stopped.signal).catch(() => {});
  return informer;
}

async function untilReady(): Promise<void> {
  for (;;) {
    const nodes = [...nodesSeen.view.list()] as Node[];
    if (nodes.length === NODES && nodes.every(isReady)) return;
    await sleep(systemClock, ms(100));
  }
}

async function untilConnected(nodes: Child): Promise<void> {
  while (await nodes.ask<number>("connected") < NODES) await sleep(systemClock, ms(50));
}

async function untilRunning(count: number): Promise<void> {
  for (;;) {
    const pods = [...podsSeen.view.list()];
    if (pods.filter(({ status }) => status?.phase === "Running").length >= count) return;
    await sleep(systemClock, ms(200));
  }
}

/** When each pod was seen bound by another watcher of the same server. */
async function watchBindings(bound: Map<string, number>, signal: AbortSignal): Promise<void> {
  using watch = await cluster.store.watch(RESOURCES.pods, {
    fieldSelector: "spec.nodeName!=",
    buffer: 100_000,
  });
  signal.addEventListener("abort", () => watch.abort(), { once: true });
  for await (const event of watch) {
    if (event.type === "BOOKMARK") continue;
    const { uid = "" } = (event.object as Pod).metadata;
    if (!bound.has(uid)) bound.set(uid, performance.timeOrigin + performance.now());
  }
}

/** Writes that the server has done for anybody. */
async function apiWrites(): Promise<number> {
  const body = await cluster.client.open({
    path: "/metrics",
    signal: new AbortController().signal,
  });
  const text = await new Response(body).text();
  let sum = 0;
  for (const line of text.split("\n")) {
    const match = /^apiserver_request_total\{.*verb="(POST|PUT|PATCH|DELETE)".*\} (\S+)$/.exec(
      line,
    );
    if (match) sum += Number(match[2]);
  }
  return sum;
}

/** How often a node was taken for lost: its Ready condition changed. */
async function leaseTransitions(): Promise<number> {
  const { items } = await cluster.store.list(RESOURCES.events, {
    fieldSelector: "reason=NodeNotReady",
  });
  return items.length;
}
