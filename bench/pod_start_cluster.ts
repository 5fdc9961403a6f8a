/**
 * Figures of a pod's start on a real cluster (ms, local image): from the call that creates it at the
 * API server to Running in a watch of the same server (`create-to-running-*`), and from its binding
 * by the scheduler, as that watch shows it, to Running (`bind-to-running-*`); beside it the same
 * sandbox and container driven straight through CRI, in turns in the same run.
 *
 * `deno task bench pod-start-cluster [RUNS]`. etcd, API server, controllers, scheduler, hub, agent
 * and containerd on one machine.
 */
import type { Pod } from "../core/api/mod.ts";
import { deadline, ms, seconds, sleep, systemClock } from "../core/base/mod.ts";
import { TestCluster } from "../tests/kube/cluster.ts";
import { figure, loadNow, note, round } from "./figures_lib.ts";
import { conditions, percentiles, print } from "./link_lib.ts";
import { markedPod, PODS, PodStand } from "./pods_lib.ts";
import { endRaw, startRaw } from "./raw_pod_lib.ts";

const RUNS = Number(Deno.args[0] ?? 30);
const WARM_UP = 2;
/** Before each start: what the last one left is taken down, network and mounts included. */
const QUIET = ms(500);

interface Times {
  /** ms from the call to the binding. */
  readonly bound: number;
  /** ms from the call to Running. */
  readonly running: number;
}

async function ours({ stand }: PodStand, run: number): Promise<Times> {
  const name = `start-${run}`;
  using limit = deadline(systemClock, seconds(30), () => new Error(`${name}: not within 30 s`));
  let bound = 0;
  const running = (async () => {
    for await (const { object } of stand.api.watch(PODS, limit.signal)) {
      if (object.metadata.name !== name) continue;
      const { spec, status } = object as Pod;
      if (spec.nodeName !== undefined && bound === 0) bound = systemClock.monotonic();
      if (status?.phase === "Running") return systemClock.monotonic();
    }
    throw new Error("the watch has ended");
  })();
  await sleep(systemClock, QUIET);
  const from = systemClock.monotonic();
  await stand.api.request("POST", PODS, markedPod(name, `bench-ours-${run}`));
  const times = { running: await running - from, bound: bound - from };
  const gone = stand.api.until(
    PODS,
    ({ metadata }, type) => type === "DELETED" && metadata.name === name,
    60,
  );
  await stand.api.request("DELETE", `${PODS}/${name}`);
  await gone;
  return times;
}

async function raw({ runtime, stand: { folder } }: PodStand, run: number): Promise<number> {
  const marker = `bench-raw-${run}`;
  using limit = deadline(systemClock, seconds(30), () => new Error(`${marker}: not within 30 s`));
  await sleep(systemClock, QUIET);
  const from = systemClock.monotonic();
  const pod = await startRaw(runtime, marker, { folder, signal: limit.signal });
  const took = systemClock.monotonic() - from;
  await endRaw(runtime, pod, limit.signal);
  return took;
}

async function main(): Promise<void> {
  const load = loadNow();
  await using cluster = await TestCluster.start();
  await cluster.applyCrds();
  await cluster.untilPodsCanBeMade("default");
  await using bench = await PodStand.open({ kubeconfig: cluster.parts.kubeconfig });
  const [all, plain]: [Times[], number[]] = [[], []];
  for (let run = 0; run < RUNS + WARM_UP; run++) {
    const [one, other] = [await ours(bench, run), await raw(bench, run)];
    if (run < WARM_UP) continue;
    all.push(one);
    plain.push(other);
    note(`run ${run - WARM_UP}: bound ${round(one.bound, 1)}, running ${round(one.running, 1)}`);
  }
  const running = percentiles(all.map((one) => one.running));
  const bind = percentiles(all.map((one) => one.running - one.bound));
  const cri = percentiles(plain);
  const beside = (value: number) => ({
    beside: { name: "the same through CRI alone", value: round(value, 1) },
  });
  print({
    bench: "pod-start-cluster",
    conditions: conditions({
      ...{ load, loadAtEnd: loadNow(), runs: RUNS, warmUp: WARM_UP, image: "busybox, local" },
      server: `kube-apiserver ${cluster.parts.programs.version} on the same machine`,
    }),
    figures: [
      figure("create-to-bound-p50", round(percentiles(all.map((one) => one.bound)).p50, 1), "ms"),
      figure("bind-to-running-p50", round(bind.p50, 1), "ms", beside(cri.p50)),
      figure("bind-to-running-p99", round(bind.p99, 1), "ms", beside(cri.p99)),
      figure("create-to-running-p50", round(running.p50, 1), "ms", beside(cri.p50)),
      figure("create-to-running-p99", round(running.p99, 1), "ms", beside(cri.p99)),
    ],
  });
}

if (import.meta.main) await main();
