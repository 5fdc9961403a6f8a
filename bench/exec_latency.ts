/**
 * Figures of one `exec` (ms, p50 and p99): from the request to its end, through the hub and the
 * tunnel, at the agent's own API, and straight at the runtime's streaming server; in turns.
 *
 * `deno task bench exec-latency [RUNS]`. Hub, agent and containerd on one machine, over mTLS. Each
 * exec is a connection of its own, as kubectl makes it; kubectl's own start is left out.
 */
import { deadline, seconds, systemClock } from "../core/base/mod.ts";
import { figure, loadNow, round } from "./figures_lib.ts";
import { conditions, percentiles, print } from "./link_lib.ts";
import { benchPod, PodStand } from "./pods_lib.ts";
import { exec, execPath, openExecServer } from "./streams_lib.ts";

const RUNS = Number(Deno.args[0] ?? 100);
const WARM_UP = 3;
const COMMAND = ["echo", "x"];

async function main(): Promise<void> {
  const load = loadNow();
  await using bench = await PodStand.open();
  const { stand, runtime } = bench;
  await stand.runPods([benchPod("execs")]);
  using hub = openExecServer(`${stand.folder}/hub/admin.kubeconfig`);
  using local = openExecServer(`${stand.folder}/agent/api/kubeconfig`);
  using limit = deadline(systemClock, seconds(600), () => new Error("the bench takes too long"));
  const { containers } = await runtime.observe(limit.signal);
  const containerId = containers[0]?.id ?? "";
  const path = execPath("execs", COMMAND);
  const ways = {
    hub: () => exec(hub, `${hub.base}${path}`, "v5.channel.k8s.io"),
    local: () => exec(local, `${local.base}${path}`, "v5.channel.k8s.io"),
    raw: async () => {
      const url = await runtime.streamUrl({
        ...{ kind: "exec", containerId, command: COMMAND },
        ...{ stdin: false, stdout: true, stderr: true, tty: false },
      }, limit.signal);
      return await exec({}, url.replace(/^http/, "ws"), "v4.channel.k8s.io");
    },
  };
  const times: Record<keyof typeof ways, number[]> = { hub: [], local: [], raw: [] };
  for (let run = 0; run < RUNS + WARM_UP; run++) {
    for (const way of Object.keys(ways) as (keyof typeof ways)[]) {
      const from = systemClock.monotonic();
      const out = await ways[way]();
      if (out !== "x\n") throw new Error(`exec by ${way} said ${JSON.stringify(out)}`);
      if (run >= WARM_UP) times[way].push(systemClock.monotonic() - from);
    }
  }
  const raw = percentiles(times.raw);
  const beside = (value: number): { beside: { name: string; value: number } } => ({
    beside: { name: "the runtime's streaming server alone", value: round(value, 1) },
  });
  const [byHub, byLocal] = [percentiles(times.hub), percentiles(times.local)];
  print({
    bench: "exec-latency",
    conditions: conditions({ load, loadAtEnd: loadNow(), runs: RUNS, warmUp: WARM_UP }),
    figures: [
      figure("hub-p50", round(byHub.p50, 1), "ms", beside(raw.p50)),
      figure("hub-p99", round(byHub.p99, 1), "ms", beside(raw.p99)),
      figure("local-p50", round(byLocal.p50, 1), "ms", beside(raw.p50)),
      figure("local-p99", round(byLocal.p99, 1), "ms", beside(raw.p99)),
    ],
  });
}

await main();
