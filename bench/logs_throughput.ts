/**
 * How fast a container's log comes through the hub (MB/s, MB = 10^6): one `GET pods/NAME/log` of a
 * log of many megabytes, read to its end, beside the same at the agent's own API in the same run.
 *
 * `deno task bench logs-throughput [MEGABYTES]`. Hub, agent and containerd on one machine, over mTLS.
 */
import { systemClock } from "../core/base/mod.ts";
import { figure, loadNow, round } from "./figures_lib.ts";
import { conditions, print } from "./link_lib.ts";
import { benchPod, PODS, PodStand } from "./pods_lib.ts";
import { openExecServer } from "./streams_lib.ts";

const MEGABYTES = Number(Deno.args[0] ?? 100);
const ROUNDS = 5;
const LINE = 100;

async function main(): Promise<void> {
  const load = loadNow();
  await using bench = await PodStand.open({ agent: { "container-log-max-size": "1Gi" } });
  const { stand } = bench;
  const count = Math.round(MEGABYTES * 1e6 / LINE);
  const base = benchPod("talks");
  const script = `yes ${"x".repeat(LINE - 1)} | head -n ${count}`;
  const [container] = base.spec.containers;
  const made = { ...container, command: ["sh", "-c", script] };
  await stand.api.request("POST", PODS, {
    ...base,
    spec: { ...base.spec, restartPolicy: "Never", containers: [made] },
  });
  await stand.api.until(PODS, ({ status }) => status?.phase === "Succeeded", 120);
  using hub = openExecServer(`${stand.folder}/hub/admin.kubeconfig`);
  using local = openExecServer(`${stand.folder}/agent/api/kubeconfig`);
  const read = async (server: typeof hub): Promise<number> => {
    const from = systemClock.monotonic();
    const url = `${server.base.replace(/^ws/, "http")}${PODS}/talks/log`;
    const response = await fetch(url, server.client ? { client: server.client } : {});
    let bytes = 0;
    for await (const chunk of response.body ?? []) bytes += chunk.byteLength;
    if (bytes !== count * LINE) throw new Error(`${bytes} bytes of ${count * LINE} came`);
    return bytes / 1e3 / (systemClock.monotonic() - from);
  };
  const [byHub, byLocal]: [number[], number[]] = [[], []];
  for (let round_ = 0; round_ < ROUNDS; round_++) {
    byHub.push(await read(hub));
    byLocal.push(await read(local));
  }
  const median = (values: number[]): number => values.toSorted((a, b) => a - b)[ROUNDS >> 1] ?? 0;
  const beside = { name: "the same at the agent's own API", value: round(median(byLocal), 1) };
  print({
    bench: "logs-throughput",
    conditions: conditions({ load, loadAtEnd: loadNow(), megabytes: MEGABYTES, rounds: ROUNDS }),
    figures: [figure("hub", round(median(byHub), 1), "MB/s", { goal: 50, beside })],
  });
}

await main();
