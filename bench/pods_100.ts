/**
 * A hundred pods on one node: how long until all run, and what the agent then holds (MiB PSS, with a
 * copy of the Deno binary, so that no other process shares pages with it) and uses (percent of a core)
 * while nothing happens; then how long until all are gone.
 *
 * `deno task bench pods-100 [PODS]`. The pods are the pause image. Hub, agent, containerd on one machine.
 */
import { ms, seconds, sleep, systemClock } from "../core/base/mod.ts";
import { figure, loadNow, note, round } from "./figures_lib.ts";
import { conditions, print } from "./link_lib.ts";
import { cpuOf, memoryOf } from "./memory_lib.ts";
import { benchPod, PODS, PodStand } from "./pods_lib.ts";

const COUNT = Number(Deno.args[0] ?? 100);
const SETTLE = seconds(65);
const WATCH = seconds(60);

async function main(): Promise<void> {
  const load = loadNow();
  const folder = await Deno.makeTempDir({ prefix: "skerry-bench-deno-" });
  const binary = `${folder}/deno`;
  await Deno.copyFile(Deno.execPath(), binary);
  await using bench = await PodStand.open({ gateway: { binary } });
  const { stand } = bench;
  // On a gateway agent and runner share the pages of the binary.
  await stand.startRunner();
  const from = systemClock.monotonic();
  const names = Array.from({ length: COUNT }, (_, index) => `p-${index}`);
  await stand.runPods(names.map((name) => benchPod(name, "pause")), 300);
  const up = systemClock.monotonic() - from;
  note(`${COUNT} pods run after ${round(up / 1000, 1)} s`);
  await sleep(systemClock, SETTLE);
  const before = cpuOf(stand.agent.pid);
  const start = systemClock.monotonic();
  await sleep(systemClock, WATCH);
  const seconds_ = (systemClock.monotonic() - start) / 1000;
  const cpu = (cpuOf(stand.agent.pid) - before) / seconds_ * 100;
  const memory = memoryOf(stand.agent.pid);
  const deleted = systemClock.monotonic();
  for (const name of names) {
    await stand.api.request("DELETE", `${PODS}/${name}`);
  }
  for (;;) {
    const { items } = await stand.api.request("GET", PODS);
    if (items.length === 0) break;
    if (systemClock.monotonic() - deleted > 300_000) throw new Error("pods do not go");
    await sleep(systemClock, ms(100));
  }
  const gone = systemClock.monotonic() - deleted;
  print({
    bench: "pods-100",
    conditions: conditions({ load, loadAtEnd: loadNow(), pods: COUNT, image: "pause" }),
    figures: [
      figure("all-running", round(up / 1000, 1), "s"),
      figure("agent-pss", round(memory.pss, 1), "MiB", { goal: 80 }),
      figure("agent-anonymous", round(memory.pssAnon, 1), "MiB"),
      figure("agent-cpu", round(cpu, 2), "% of a core", { goal: 1 }),
      figure("all-gone", round(gone / 1000, 1), "s"),
    ],
  });
  await Deno.remove(folder, { recursive: true });
}

await main();
