/**
 * Figures of a pod's start (ms, local image): from the call that creates it at the hub's API to the
 * process in the container (`create-to-process`) and to Running in a watch of the same API
 * (`create-to-running`), p50 and p99; `share-p50` and `share-running-p50`: what is left of that
 * after the same sandbox and container driven straight through CRI, in turns in the same run.
 * `share-20-ratio`: 20 pods at once, until the last is seen Running, against 20 at once through CRI.
 * `sequence-100-*`: 100 pods one after the other that all stay, each until it is seen Running.
 *
 * `deno task bench pod-start [RUNS] [ROUNDS-OF-20] [PODS-IN-SEQUENCE]`. Hub, agent and containerd on
 * one machine, over mTLS. The process is found in /proc by an argument of its own, looked for every
 * 2 ms in both cases.
 */
import type { Pod } from "../core/api/mod.ts";
import { deadline, ms, seconds, sleep, systemClock } from "../core/base/mod.ts";
import { type Figure, figure, loadNow, note, round } from "./figures_lib.ts";
import { conditions, percentiles, print } from "./link_lib.ts";
import { markedPod, PODS, PodStand } from "./pods_lib.ts";
import { untilProcess } from "./process_lib.ts";
import { endRaw, startRaw } from "./raw_pod_lib.ts";

const RUNS = Number(Deno.args[0] ?? 30);
const ROUNDS = Number(Deno.args[1] ?? 3);
const SEQUENCE = Number(Deno.args[2] ?? 100);
const AT_ONCE = 20;
/** Runs that only warm caches up, as a node that has run pods before. */
const WARM_UP = 2;
/** Before each start: what the last one left is taken down, network and mounts included. */
const QUIET = ms(500);

interface Times {
  /** ms to the container's process. */
  readonly process: number;
  /** ms to Running at the API; for CRI alone to the end of the last call. */
  readonly running: number;
}

function late(what: string, span: number) {
  return deadline(systemClock, seconds(span), () => new Error(`${what}: not within ${span} s`));
}

/** When all of `names` have been seen Running. The watch is open when this is called. */
async function untilRunning(
  bench: PodStand,
  names: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const missing = new Set(names);
  for await (const { object } of bench.stand.api.watch(PODS, signal)) {
    if ((object as Pod).status?.phase === "Running") missing.delete(object.metadata.name);
    if (missing.size === 0) return systemClock.monotonic();
  }
  throw new Error("the watch has ended");
}

async function ours(bench: PodStand, run: number): Promise<Times> {
  const name = `start-${run}`;
  const marker = `bench-ours-${run}`;
  using limit = late(name, 30);
  const running = untilRunning(bench, [name], limit.signal);
  // The watch is open before the clock starts, as in `kubectl get -w` in another terminal.
  await sleep(systemClock, QUIET);
  const from = systemClock.monotonic();
  const process = untilProcess(marker, limit.signal);
  await bench.stand.api.request("POST", PODS, markedPod(name, marker));
  const times = { process: await process - from, running: await running - from };
  await remove(bench, [name]);
  return times;
}

async function raw(bench: PodStand, run: number): Promise<Times> {
  const { runtime, stand: { folder } } = bench;
  const marker = `bench-raw-${run}`;
  using limit = late(marker, 30);
  const { signal } = limit;
  await sleep(systemClock, QUIET);
  const from = systemClock.monotonic();
  const process = untilProcess(marker, signal);
  const pod = await startRaw(runtime, marker, { folder, signal });
  const running = systemClock.monotonic() - from;
  const times = { process: await process - from, running };
  await endRaw(runtime, pod, signal);
  return times;
}

async function oursAtOnce(bench: PodStand, round: number): Promise<number> {
  const names = Array.from({ length: AT_ONCE }, (_, at) => `many-${round}-${at}`);
  using limit = late("20 pods at once", 120);
  const running = untilRunning(bench, names, limit.signal);
  await sleep(systemClock, QUIET);
  const from = systemClock.monotonic();
  await Promise.all(
    names.map((name) => bench.stand.api.request("POST", PODS, markedPod(name, name))),
  );
  const took = await running - from;
  await remove(bench, names);
  return took;
}

async function rawAtOnce(bench: PodStand, round: number): Promise<number> {
  const { runtime, stand: { folder } } = bench;
  using limit = late("20 pods at once through CRI", 120);
  const { signal } = limit;
  const markers = Array.from({ length: AT_ONCE }, (_, at) => `raw-${round}-${at}`);
  await sleep(systemClock, QUIET);
  const from = systemClock.monotonic();
  const pods = await Promise.all(
    markers.map((marker) => startRaw(runtime, marker, { folder, signal })),
  );
  const took = systemClock.monotonic() - from;
  for (const pod of pods) await endRaw(runtime, pod, signal);
  return took;
}

/** Pods that stay, one after the other: ms to Running of each. */
async function sequence(bench: PodStand): Promise<number[]> {
  const times: number[] = [];
  for (let run = 0; run < SEQUENCE; run++) {
    const name = `row-${run}`;
    using limit = late(name, 30);
    const running = untilRunning(bench, [name], limit.signal);
    const from = systemClock.monotonic();
    await bench.stand.api.request("POST", PODS, markedPod(name, name));
    times.push(await running - from);
    if (run % 20 === 19) note(`${run + 1} pods in sequence`);
  }
  return times;
}

async function remove(bench: PodStand, names: readonly string[]): Promise<void> {
  const missing = new Set(names);
  const gone = bench.stand.api.until(PODS, (object, type) => {
    if (type === "DELETED") missing.delete(object.metadata.name);
    return missing.size === 0;
  }, 60);
  await Promise.all(names.map((name) => bench.stand.api.request("DELETE", `${PODS}/${name}`)));
  await gone;
}

function singleFigures(all: readonly Times[], plain: readonly Times[]): Figure[] {
  const of = (times: readonly Times[], key: keyof Times): { p50: number; p99: number } =>
    percentiles(times.map((one) => one[key]));
  const [running, process] = [of(all, "running"), of(all, "process")];
  const [rawRunning, rawProcess] = [of(plain, "running"), of(plain, "process")];
  const cri = (value: number): { name: string; value: number } => ({
    name: "the same through CRI alone",
    value: round(value, 1),
  });
  return [
    figure("create-to-running-p50", running.p50, "ms", { beside: cri(rawRunning.p50) }),
    figure("create-to-running-p99", running.p99, "ms", { beside: cri(rawRunning.p99) }),
    figure("create-to-process-p50", process.p50, "ms", { beside: cri(rawProcess.p50) }),
    figure("create-to-process-p99", process.p99, "ms", { beside: cri(rawProcess.p99) }),
    figure("share-p50", process.p50 - rawProcess.p50, "ms", { goal: 30 }),
    figure("share-running-p50", running.p50 - rawRunning.p50, "ms", { goal: 80 }),
  ];
}

function manyFigures(all: readonly number[], plain: readonly number[]): Figure[] {
  const [mine, theirs] = [percentiles(all).p50, percentiles(plain).p50];
  const beside = { name: "20 at once through CRI alone", value: round(theirs, 1) };
  return [
    figure("running-20", mine, "ms", { beside }),
    { ...figure("share-20-ratio", 0, "times", { goal: 1.2 }), value: round(mine / theirs, 3) },
  ];
}

function sequenceFigures(times: readonly number[]): Figure[] {
  if (times.length === 0) return [];
  const half = Math.floor(times.length / 2);
  return [
    figure("sequence-100-total", times.reduce((sum, one) => sum + one, 0), "ms"),
    figure("sequence-100-p50", percentiles(times).p50, "ms"),
    figure("sequence-100-p99", percentiles(times).p99, "ms"),
    figure("sequence-100-p50-last-half", percentiles(times.slice(half)).p50, "ms", {
      beside: { name: "the first half", value: round(percentiles(times.slice(0, half)).p50, 1) },
    }),
  ];
}

async function main(): Promise<void> {
  const load = loadNow();
  await using bench = await PodStand.open();
  const [all, plain]: [Times[], Times[]] = [[], []];
  for (let run = 0; run < RUNS + WARM_UP; run++) {
    const [one, other] = [await ours(bench, run), await raw(bench, run)];
    if (run < WARM_UP) continue;
    all.push(one);
    plain.push(other);
    note(
      `run ${run - WARM_UP}: process ${round(one.process, 1)} (CRI ${round(other.process, 1)}), ` +
        `running ${round(one.running, 1)} (CRI ${round(other.running, 1)})`,
    );
  }
  const [many, plainMany]: [number[], number[]] = [[], []];
  for (let run = 0; run < ROUNDS; run++) {
    // In turns who is first: the second of a pair meets what the first has left.
    if (run % 2 === 0) many.push(await oursAtOnce(bench, run));
    plainMany.push(await rawAtOnce(bench, run));
    if (run % 2 === 1) many.push(await oursAtOnce(bench, run));
    note(`20 at once: ${round(many.at(-1) ?? 0, 0)} ms (CRI ${round(plainMany.at(-1) ?? 0, 0)})`);
  }
  const row = await sequence(bench);
  print({
    bench: "pod-start",
    conditions: conditions({
      ...{ load, loadAtEnd: loadNow(), runs: RUNS, warmUp: WARM_UP, roundsOf20: ROUNDS },
      ...{ image: "busybox, local", transport: "mTLS WebSocket, loopback" },
    }),
    figures: [
      ...singleFigures(all, plain),
      ...(ROUNDS > 0 ? manyFigures(many, plainMany) : []),
      ...sequenceFigures(row),
    ].map((one) => ({ ...one, value: round(one.value, one.unit === "ms" ? 1 : 3) })),
  });
}

if (import.meta.main) await main();
