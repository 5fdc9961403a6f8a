/**
 * Figures of a pod's start (ms, local image): from the call that creates it at the hub's API to the
 * process in the container (`create-to-process`) and to Running in a watch of the same API
 * (`create-to-running`), p50 and p99; `share-p50` and `share-running-p50`: what is left of that
 * after the same sandbox and container driven straight through CRI, in turns in the same run.
 *
 * `deno task bench pod-start [RUNS]`. Hub, agent and containerd on one machine, over mTLS. The
 * process is found in /proc by an argument of its own, looked for every 2 ms in both cases.
 */
import { createCriRuntime, type Runtime } from "../agent/runtimes/mod.ts";
import type { Pod } from "../core/api/mod.ts";
import { deadline, ms, seconds, silentLogger, sleep, systemClock } from "../core/base/mod.ts";
import { startContainerd } from "../tools/containerd/mod.ts";
import { TEST_IMAGES } from "../tools/images/mod.ts";
import { type Figure, figure, loadNow, note, round } from "./figures_lib.ts";
import { conditions, percentiles, print } from "./link_lib.ts";
import { benchPod } from "./pods_lib.ts";
import { untilProcess } from "./process_lib.ts";
import { Stand } from "./stand_lib.ts";

const RUNS = Number(Deno.args[0] ?? 30);
const PODS = "/api/v1/namespaces/default/pods";
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

function command(marker: string): string[] {
  // The shell stays, with the marker as its `$0`; it ends at once when told to.
  return ["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait", marker];
}

async function ours(stand: Stand, run: number): Promise<Times> {
  const name = `start-${run}`;
  const marker = `bench-ours-${run}`;
  const base = benchPod(name);
  const containers = [{ name: "c", image: TEST_IMAGES.busybox, command: command(marker) }];
  const pod = { ...base, spec: { ...base.spec, containers } };
  using limit = deadline(systemClock, seconds(30), () => new Error(`${name} does not start`));
  const path = `${PODS}?fieldSelector=metadata.name%3D${name}`;
  const running = (async () => {
    for await (const { object } of stand.api.watch(path, limit.signal)) {
      if ((object as Pod).status?.phase === "Running") return systemClock.monotonic();
    }
    throw new Error("the watch has ended");
  })();
  // The watch is open before the clock starts, as in `kubectl get -w` in another terminal.
  await sleep(systemClock, QUIET);
  const from = systemClock.monotonic();
  const process = untilProcess(marker, limit.signal);
  await stand.api.request("POST", PODS, pod);
  const times = { process: await process - from, running: await running - from };
  const gone = stand.api.until(path, (_object, type) => type === "DELETED");
  await stand.api.request("DELETE", `${PODS}/${name}`);
  await gone;
  return times;
}

async function raw(runtime: Runtime, folder: string, run: number): Promise<Times> {
  const marker = `bench-raw-${run}`;
  using limit = deadline(systemClock, seconds(30), () => new Error(`${marker} does not start`));
  const { signal } = limit;
  const labels = { "io.kubernetes.pod.uid": marker };
  const config = {
    ...{ podUid: marker, podName: marker, podNamespace: "default", attempt: 0, hostname: marker },
    ...{ logDirectory: `${folder}/${marker}`, portMappings: [], labels, annotations: {} },
    securityContext: {},
  };
  await sleep(systemClock, QUIET);
  const from = systemClock.monotonic();
  const process = untilProcess(marker, signal);
  const sandbox = await runtime.runSandbox(config, signal);
  const container = await runtime.createContainer(
    sandbox,
    {
      ...{ name: "c", attempt: 0, image: TEST_IMAGES.busybox, command: command(marker), args: [] },
      ...{ workingDir: "", env: [], mounts: [], devices: [], labels, annotations: {} },
      ...{ logPath: "c.log", stdin: false, stdinOnce: false, tty: false },
      resources: {},
      securityContext: {},
    },
    config,
    signal,
  );
  await runtime.startContainer(container, signal);
  const running = systemClock.monotonic() - from;
  const times = { process: await process - from, running };
  await runtime.stopContainer(container, ms(1000), signal);
  await runtime.removeContainer(container, signal);
  await runtime.stopSandbox(sandbox, signal);
  await runtime.removeSandbox(sandbox, signal);
  return times;
}

function figuresOf(all: readonly Times[], plain: readonly Times[]): Figure[] {
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
    figure("share-p50", process.p50 - rawProcess.p50, "ms", { goal: 50 }),
    figure("share-running-p50", running.p50 - rawRunning.p50, "ms", { goal: 100 }),
  ].map((one) => ({ ...one, value: round(one.value, 1) }));
}

async function main(): Promise<void> {
  const load = loadNow();
  await using containerd = await startContainerd();
  await using stand = await Stand.open({ cri: containerd });
  await stand.startHub();
  await stand.startRunner();
  await stand.join();
  await stand.startAgent();
  const socketPath = containerd.socket;
  await using runtime = createCriRuntime({ socketPath, clock: systemClock, log: silentLogger });
  const [all, plain]: [Times[], Times[]] = [[], []];
  for (let run = 0; run < RUNS + WARM_UP; run++) {
    const [one, other] = [await ours(stand, run), await raw(runtime, stand.folder, run)];
    if (run < WARM_UP) continue;
    all.push(one);
    plain.push(other);
    note(
      `run ${run - WARM_UP}: process ${round(one.process, 1)} (CRI ${round(other.process, 1)}), ` +
        `running ${round(one.running, 1)} (CRI ${round(other.running, 1)})`,
    );
  }
  print({
    bench: "pod-start",
    conditions: conditions({
      ...{ load, loadAtEnd: loadNow(), runs: RUNS, warmUp: WARM_UP },
      ...{ image: "busybox, local", transport: "mTLS WebSocket, loopback" },
    }),
    figures: figuresOf(all, plain),
  });
}

if (import.meta.main) await main();
