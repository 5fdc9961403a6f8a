/**
 * A thousand execs in a row through the hub, then fifty at once: how many failed, how long they took,
 * what agent and hub hold more afterwards, and how much more after a second time (anonymous MiB):
 * that is memory which is not flat.
 *
 * `deno task bench exec-1000 [RUNS]`. Hub, agent and containerd on one machine, over mTLS.
 */
import { errorText, type Ms, ms, seconds, sleep, systemClock } from "../core/base/mod.ts";
import { figure, loadNow, note, round } from "./figures_lib.ts";
import { conditions, print } from "./link_lib.ts";
import { memoryOf } from "./memory_lib.ts";
import { benchPod, PodStand } from "./pods_lib.ts";
import { exec, execPath, openExecServer } from "./streams_lib.ts";

const RUNS = Number(Deno.args[0] ?? 1000);
const AT_ONCE = 50;
/** The parts give memory back when they have been quiet for a while. */
const QUIET = seconds(65);

async function main(): Promise<void> {
  const load = loadNow();
  await using bench = await PodStand.open();
  const { stand } = bench;
  await stand.runPods([benchPod("execs")]);
  using hub = openExecServer(`${stand.folder}/hub/admin.kubeconfig`);
  let failed = 0;
  const one = async (run: number): Promise<void> => {
    try {
      const url = `${hub.base}${execPath("execs", ["echo", `${run}`])}`;
      const out = await exec(hub, url, "v5.channel.k8s.io");
      if (out !== `${run}\n`) throw new Error(`said ${JSON.stringify(out)}`);
    } catch (error) {
      failed++;
      note(`exec ${run} failed: ${errorText(error)}`);
    }
  };
  const held = async (): Promise<{ agent: number; hub: number }> => {
    await sleep(systemClock, QUIET);
    return { agent: memoryOf(stand.agent.pid).pssAnon, hub: memoryOf(stand.hub.pid).pssAnon };
  };
  const all = async (): Promise<{ row: Ms; atOnce: Ms }> => {
    const from = systemClock.monotonic();
    for (let run = 0; run < RUNS; run++) await one(run);
    const burst = systemClock.monotonic();
    await Promise.all(Array.from({ length: AT_ONCE }, (_, run) => one(run)));
    return { row: ms(burst - from), atOnce: ms(systemClock.monotonic() - burst) };
  };
  await one(0);
  const idle = await held();
  const { row, atOnce } = await all();
  const first = await held();
  await all();
  const second = await held();
  print({
    bench: "exec-1000",
    conditions: conditions({ load, loadAtEnd: loadNow(), runs: RUNS, atOnce: AT_ONCE }),
    figures: [
      figure("failed", failed, "execs", { goal: 0 }),
      figure("in-a-row-each", round(row / RUNS, 1), "ms"),
      figure("at-once-all", round(atOnce, 0), "ms"),
      figure("agent-first", round(first.agent - idle.agent, 1), "MiB"),
      figure("hub-first", round(first.hub - idle.hub, 1), "MiB"),
      figure("agent-growth", round(second.agent - first.agent, 1), "MiB", { goal: 2 }),
      figure("hub-growth", round(second.hub - first.hub, 1), "MiB", { goal: 2 }),
    ],
  });
}

await main();
