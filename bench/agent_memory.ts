/**
 * Memory of the gateway's processes (MiB): `agent-idle-pss`, `runner-idle-pss` after 60 s without
 * work, `agent-runner-loaded-pss` with 20 pods and 10 functions that were called, and what loading
 * each dependency adds to an empty program.
 *
 * `deno task bench agent-memory [--settle=60] [--only=idle,loaded,dependencies] [--v8-flags=A,B]
 * [--env=K=V,...]`. Agent and runner run from a copy of the Deno binary: so they share its pages
 * with each other, as on a gateway, and with no other process of this machine. The agent has joined
 * before and is started again: a first start also makes keys and certificates once.
 */
import { ms, sleep, systemClock } from "../core/base/mod.ts";
import { parseOptions } from "../core/parts/mod.ts";
import { startContainerd } from "../tools/containerd/mod.ts";
import { type Figure, figure, loadNow, note, round } from "./figures_lib.ts";
import { callHellos, runHellos } from "./functions_lib.ts";
import { conditions, print } from "./link_lib.ts";
import { addMemory, countDenoProcesses, cpuOf, type Memory, memoryOf } from "./memory_lib.ts";
import { measureDependencies } from "./dependencies_lib.ts";
import type { PartChanges } from "./part_lib.ts";
import { benchPod } from "./pods_lib.ts";
import { Stand } from "./stand_lib.ts";

const OPTIONS = {
  settle: { help: "seconds without work before measuring", value: "SECONDS", fallback: 60 },
  only: {
    help: "idle, loaded, dependencies",
    value: "LIST",
    fallback: "idle,loaded,dependencies",
  },
  pods: { help: "pods of the loaded state", value: "N", fallback: 20 },
  functions: { help: "functions of the loaded state", value: "N", fallback: 10 },
  "v8-flags": { help: "V8 flags in place of the launcher's", value: "LIST", fallback: "" },
  env: { help: "variables added to the parts' environment", value: "K=V,...", fallback: "" },
} as const;

const CALLS = 20;

interface State {
  readonly agent: Memory;
  readonly runner: Memory;
  /** Seconds of CPU of agent and runner so far. */
  readonly cpu: number;
}

async function settle(stand: Stand, settleSeconds: number): Promise<State> {
  await sleep(systemClock, ms(settleSeconds * 1000));
  return {
    agent: memoryOf(stand.agent.pid),
    runner: memoryOf(stand.runner.pid),
    cpu: cpuOf(stand.agent.pid) + cpuOf(stand.runner.pid),
  };
}

function idleFigures({ agent, runner }: State): Figure[] {
  return [
    figure("agent-idle-pss", agent.pss, "MiB", {
      goal: 60,
      beside: { name: "KubeEdge's edgecore, measured", value: 108 },
    }),
    figure("agent-idle-pss-anon", agent.pssAnon, "MiB", {
      beside: { name: "KubeEdge's edgecore, measured", value: 21 },
    }),
    figure("agent-idle-rss", agent.rss, "MiB"),
    figure("runner-idle-pss", runner.pss, "MiB"),
    figure("runner-idle-pss-anon", runner.pssAnon, "MiB"),
  ];
}

function loadedFigures(state: State): Figure[] {
  const both = addMemory([state.agent, state.runner]);
  return [
    figure("agent-runner-loaded-pss", both.pss, "MiB", {
      goal: 100,
      beside: { name: "KubeEdge's edgecore with 20 pods, no functions, measured", value: 118.6 },
    }),
    figure("agent-runner-loaded-pss-anon", both.pssAnon, "MiB"),
    figure("agent-loaded-pss", state.agent.pss, "MiB"),
    figure("agent-loaded-pss-anon", state.agent.pssAnon, "MiB"),
    figure("runner-loaded-pss", state.runner.pss, "MiB"),
    figure("runner-loaded-pss-anon", state.runner.pssAnon, "MiB"),
  ];
}

async function measureParts(
  binary: string,
  options: Options,
  figures: Figure[],
): Promise<Record<string, unknown>> {
  const gateway: PartChanges = {
    binary,
    ...(options["v8-flags"] === "" ? {} : { v8Flags: options["v8-flags"].split(",") }),
    ...(options.env === ""
      ? {}
      : { env: Object.fromEntries(options.env.split(",").map((text) => text.split("="))) }),
  };
  await using containerd = await startContainerd();
  await using stand = await Stand.open({ cri: containerd, gateway });
  await stand.startHub();
  await stand.startRunner();
  await stand.join();
  // A first start of the program fills V8's code cache, and holds the memory that this took.
  await stand.startAgent();
  await stand.agent.stop();
  await stand.startAgent();
  note("agent has joined and runs again");
  const idle = await settle(stand, options.settle);
  if (options.only.includes("idle")) figures.push(...idleFigures(idle));
  note(JSON.stringify(idle));
  const seen: Record<string, unknown> = {
    processesOfTheMeasuredBinary: countDenoProcesses(binary),
    otherDenoProcesses: countDenoProcesses(Deno.execPath()),
  };
  if (options.only.includes("loaded")) {
    const pods = Array.from(
      { length: options.pods },
      (_, i) => benchPod(`load-${i}`, i % 2 === 0 ? "busybox" : "pause"),
    );
    await stand.runPods(pods);
    note(`${pods.length} pods run`);
    const names = await runHellos(stand, options.functions);
    await callHellos(stand, names, CALLS);
    note(`${names.length} functions were called ${CALLS} times`);
    const loaded = await settle(stand, options.settle);
    note(JSON.stringify(loaded));
    figures.push(...loadedFigures(loaded));
    figures.push(figure("start-and-load-cpu", loaded.cpu, "s of CPU"));
  }
  return seen;
}

type Options = ReturnType<typeof parseOptions<typeof OPTIONS>>;

async function main(): Promise<void> {
  const options = parseOptions(OPTIONS, Deno.args);
  const folder = await Deno.makeTempDir({ prefix: "skerry-bench-" });
  const binary = `${folder}/deno`;
  const figures: Figure[] = [];
  const load = loadNow();
  let seen: Record<string, unknown> = {};
  try {
    await Deno.copyFile(Deno.execPath(), binary);
    if (options.only.includes("dependencies")) figures.push(...await measureDependencies(binary));
    if (/idle|loaded/.test(options.only)) seen = await measureParts(binary, options, figures);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  print({
    bench: "agent-memory",
    conditions: conditions({
      ...{ load, ...seen, ...options, calls: CALLS },
      binary: "agent and runner run from a copy, shared with each other only",
      start: "second start of a joined node",
    }),
    figures: figures.map((one) => ({ ...one, value: round(one.value, 1) })),
  });
}

if (import.meta.main) await main();
