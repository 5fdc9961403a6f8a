/**
 * How long a change of a ConfigMap takes from the call at a real API server until a watch of the
 * node's own API shows it (`node-*`, ms), beside a watch of the API server itself (`server-*`).
 *
 * `deno task bench watch-lag [CHANGES]`. etcd, API server, hub and agent on one machine, over mTLS.
 */
import type { KubeObject } from "../core/api/mod.ts";
import { deadline, ms, seconds, sleep, systemClock } from "../core/base/mod.ts";
import { TestCluster } from "../tests/kube/cluster.ts";
import { Api } from "./api_lib.ts";
import { figure, loadNow, round } from "./figures_lib.ts";
import { conditions, percentiles, print } from "./link_lib.ts";
import { benchPod } from "./pods_lib.ts";
import { NODE, Stand } from "./stand_lib.ts";

const CHANGES = Number(Deno.args[0] ?? 300);
const MAPS = "/api/v1/namespaces/default/configmaps";
const SPAN = seconds(600);

/** When each value was first seen by a watch. */
class Seen {
  readonly at = new Map<string, number>();
  readonly #waiting = new Map<string, () => void>();

  async follow(api: Api, signal: AbortSignal): Promise<void> {
    try {
      for await (const { object } of api.watch(MAPS, signal)) this.#look(object);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Resolves when the watch has shown `value`. */
  async until(value: string): Promise<number> {
    if (!this.at.has(value)) {
      await new Promise<void>((resolve) => this.#waiting.set(value, resolve));
    }
    return this.at.get(value) ?? 0;
  }

  #look({ metadata, ...object }: KubeObject): void {
    const value = object["data"]?.value;
    if (metadata.name !== "bench" || typeof value !== "string" || this.at.has(value)) return;
    this.at.set(value, systemClock.monotonic());
    this.#waiting.get(value)?.();
  }
}

async function main(): Promise<void> {
  const load = loadNow();
  await using cluster = await TestCluster.start();
  await cluster.applyCrds();
  await cluster.untilPodsCanBeMade("default");
  await using stand = await Stand.open({ kubeconfig: cluster.parts.kubeconfig });
  await stand.startHub();
  await stand.join();
  await stand.startAgent();
  const map = (value: string) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "bench", namespace: "default" },
    data: { value },
  });
  await stand.api.request("POST", MAPS, map("start"));
  const pod = benchPod("reads");
  const volumes = [{ name: "bench", configMap: { name: "bench" } }];
  const spec = { ...pod.spec, nodeName: NODE, automountServiceAccountToken: false, volumes };
  await stand.api.request("POST", "/api/v1/namespaces/default/pods", { ...pod, spec });
  const stop = new AbortController();
  const late = () => new Error("the bench took too long");
  using limit = deadline(systemClock, SPAN, late, stop.signal);
  using local = new Api(`${stand.folder}/agent/api/kubeconfig`);
  const [server, node] = [new Seen(), new Seen()];
  const following = [server.follow(stand.api, limit.signal), node.follow(local, limit.signal)];
  for (const one of [server, node]) await one.until("start");
  const [atServer, atNode]: [number[], number[]] = [[], []];
  for (let run = 0; run < CHANGES; run++) {
    await sleep(systemClock, ms(20));
    const from = systemClock.monotonic();
    await stand.api.request("PUT", `${MAPS}/bench`, map(`${run}`));
    atNode.push(await node.until(`${run}`) - from);
    atServer.push(await server.until(`${run}`) - from);
  }
  stop.abort();
  await Promise.all(following);
  const [far, near] = [percentiles(atNode), percentiles(atServer)];
  const beside = (value: number) => ({
    beside: { name: "a watch of the API server", value: round(value, 2) },
  });
  print({
    bench: "watch-lag",
    conditions: conditions({
      ...{ load, loadAtEnd: loadNow(), changes: CHANGES, transport: "mTLS WebSocket, loopback" },
      server: `kube-apiserver ${cluster.parts.programs.version} on the same machine`,
    }),
    figures: [
      figure("node-p50", round(far.p50, 2), "ms", beside(near.p50)),
      figure("node-p99", round(far.p99, 2), "ms", beside(near.p99)),
    ],
  });
}

if (import.meta.main) await main();
