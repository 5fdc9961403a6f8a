/**
 * How long a pod takes from its delete at the API to gone from a watch (ms), its container ending at
 * once, beside the same sandbox and container taken down straight through CRI in the same run.
 *
 * `deno task bench pod-delete [RUNS]`. Hub, agent and containerd on one machine, over mTLS.
 */
import { createCriRuntime, type Runtime } from "../agent/runtimes/mod.ts";
import { deadline, ms, seconds, silentLogger, sleep, systemClock } from "../core/base/mod.ts";
import { startContainerd } from "../tools/containerd/mod.ts";
import { TEST_IMAGES } from "../tools/images/mod.ts";
import { figure, loadNow, note, round } from "./figures_lib.ts";
import { conditions, percentiles, print } from "./link_lib.ts";
import { benchPod } from "./pods_lib.ts";
import { Stand } from "./stand_lib.ts";

const RUNS = Number(Deno.args[0] ?? 50);
const WARM_UP = 2;
const QUIET = ms(300);
const PODS = "/api/v1/namespaces/default/pods";
const COMMAND = ["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"];

async function ours(stand: Stand, name: string): Promise<number> {
  const base = benchPod(name);
  const containers = [{ name: "c", image: TEST_IMAGES.busybox, command: COMMAND }];
  const spec = { ...base.spec, terminationGracePeriodSeconds: 30, containers };
  await stand.runPods([{ ...base, spec }]);
  const path = `${PODS}?fieldSelector=metadata.name%3D${name}`;
  const gone = stand.api.until(path, (_object, type) => type === "DELETED", 120);
  await sleep(systemClock, QUIET);
  const from = systemClock.monotonic();
  await stand.api.request("DELETE", `${PODS}/${name}`);
  await gone;
  return systemClock.monotonic() - from;
}

async function raw(runtime: Runtime, folder: string, name: string): Promise<number> {
  using limit = deadline(systemClock, seconds(60), () => new Error(`${name} takes too long`));
  const { signal } = limit;
  const labels = { "io.kubernetes.pod.uid": name };
  const config = {
    ...{ podUid: name, podName: name, podNamespace: "default", attempt: 0, hostname: name },
    ...{ logDirectory: `${folder}/${name}`, portMappings: [], labels, annotations: {} },
    securityContext: {},
  };
  const sandbox = await runtime.runSandbox(config, signal);
  const container = await runtime.createContainer(
    sandbox,
    {
      ...{ name: "c", attempt: 0, image: TEST_IMAGES.busybox, command: COMMAND, args: [] },
      ...{ workingDir: "", env: [], mounts: [], devices: [], labels, annotations: {} },
      ...{ logPath: "c.log", stdin: false, stdinOnce: false, tty: false },
      resources: {},
      securityContext: {},
    },
    config,
    signal,
  );
  await runtime.startContainer(container, signal);
  await sleep(systemClock, QUIET);
  const from = systemClock.monotonic();
  await runtime.stopContainer(container, ms(30_000), signal);
  await runtime.stopSandbox(sandbox, signal);
  await runtime.removeSandbox(sandbox, signal);
  return systemClock.monotonic() - from;
}

async function main(): Promise<void> {
  const load = loadNow();
  await using containerd = await startContainerd();
  await using stand = await Stand.open({ cri: containerd });
  await stand.startHub();
  await stand.join();
  await stand.startAgent();
  const socketPath = containerd.socket;
  await using runtime = createCriRuntime({ socketPath, clock: systemClock, log: silentLogger });
  const [all, plain]: [number[], number[]] = [[], []];
  for (let run = 0; run < RUNS + WARM_UP; run++) {
    const one = await ours(stand, `delete-${run}`);
    const other = await raw(runtime, stand.folder, `raw-${run}`);
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
