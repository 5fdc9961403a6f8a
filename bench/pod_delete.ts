/**
 * How long a pod takes from its delete at the API to gone from a watch (ms), its container ending at
 * once, beside the same sandbox and container taken down straight through CRI in the same run.
 *
 * `deno task bench pod-delete [RUNS]`. Hub, agent and containerd on one machine, over mTLS.
 */
import { deadline, ms, seconds, sleep, systemClock } from "../core/base/mod.ts";
import { figure, loadNow, note, round } from "./figures_lib.ts";
import { conditions, percentiles, print } from "./link_lib.ts";
import { markedPod, PODS, PodStand } from "./pods_lib.ts";
import { endRaw, startRaw } from "./raw_pod_lib.ts";
import type { Stand } from "./stand_lib.ts";

const RUNS = Number(Deno.args[0] ?? 50);
const WARM_UP = 2;
const QUIET = ms(300);

async function ours(stand: Stand, name: string): Promise<number> {
  await stand.runPods([markedPod(name, name)]);
  const path = `${PODS}?fieldSelector=metadata.name%3D${name}`;
  const gone = stand.api.until(path, (_object, type) => type === "DELETED", 120);
  await sleep(systemClock, QUIET);
  const from = systemClock.monotonic();
  await stand.api.request("DELETE", `${PODS}/${name}`);
  await gone;
  return systemClock.monotonic() - from;
}

async function raw({ runtime, stand: { folder } }: PodStand, name: string): Promise<number> {
  using limit = deadline(systemClock, seconds(60), () => new Error(`${name} takes too long`));
  const { signal } = limit;
  const pod = await startRaw(runtime, name, { folder, signal });
  await sleep(systemClock, QUIET);
  const from = systemClock.monotonic();
  await endRaw(runtime, pod, signal);
  return systemClock.monotonic() - from;
}

async function main(): Promise<void> {
  const load = loadNow();
  await using bench = await PodStand.open();
  const { stand } = bench;
  const [all, plain]: [number[], number[]] = [[], []];
  for (let run = 0; run < RUNS + WARM_UP; run++) {
    const one = await ours(stand, `delete-${run}`);
    const other = await raw(bench, `raw-${run}`);
    if (run < WARM_UP) continue;
    all.push(one);
    plain.push(other);
    note(`run ${run - WARM_UP}: ${round(one, 1)} (CRI ${round(other, 1)})`);
  }
  const [mine, cri] = [percentiles(all), percentiles(plain)];
  const beside = (value: number): { name: string; value: number } => ({
    name: "the same through CRI alone",
    value: round(value, 1),
  });
  print({
    bench: "pod-delete",
    conditions: conditions({ load, loadAtEnd: loadNow(), runs: RUNS, warmUp: WARM_UP }),
    figures: [
      figure("delete-to-gone-p50", round(mine.p50, 1), "ms", {
        goal: 400,
        beside: beside(cri.p50),
      }),
      figure("delete-to-gone-p99", round(mine.p99, 1), "ms", {
        goal: 400,
        beside: beside(cri.p99),
      }),
      figure("delete-to-gone-max", round(Math.max(...all), 1), "ms", {
        beside: beside(Math.max(...plain)),
      }),
    ],
  });
}

await main();
