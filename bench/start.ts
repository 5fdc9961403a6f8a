/**
 * Figure `local-api-ms`: from the start of the agent's process to the answer of its local API to a
 * client with a certificate (median), joined with its hub up; beside, in turns in the same run, an
 * agent alone and a `deno run` of an empty server. `deno task bench start [RUNS]`.
 *
 * The node has joined before; what the very first start takes, which makes keys and certificates,
 * is shown as `local-api-first-ms`.
 */
import { agentMain } from "../cli/agent_main.ts";
import { ROOT } from "../cli/launch.ts";
import { ms, sleep, systemClock } from "../core/base/mod.ts";
import { Api } from "./api_lib.ts";
import { figure, loadNow, note, round } from "./figures_lib.ts";
import { conditions, percentiles, print } from "./link_lib.ts";
import { Part } from "./part_lib.ts";
import { freePort } from "../tools/free_port.ts";
import { Stand } from "./stand_lib.ts";

const RUNS = Number(Deno.args[0] ?? 10);
const LIMIT = 20_000;

/** Asks again and again until there is an answer; how long that took since `from`, in ms. */
async function untilAnswer(from: number, ask: () => Promise<unknown>): Promise<number> {
  for (;;) {
    try {
      await ask();
      return systemClock.monotonic() - from;
    } catch (error) {
      if (systemClock.monotonic() - from > LIMIT) throw error;
      await sleep(systemClock, ms(2));
    }
  }
}

/** Starts the agent, waits for its API, ends it. */
async function startAgent(stand: Stand, alone: boolean): Promise<number> {
  const options = stand.agentOptions(alone);
  await using agent = new Part({ part: "agent", options, main: await agentMain(ROOT) });
  // The very first start writes this file.
  const kubeconfig = `${options["state-dir"]}/api/kubeconfig`;
  await untilAnswer(agent.startedAt, () => Deno.stat(kubeconfig));
  using api = new Api(kubeconfig);
  return await untilAnswer(agent.startedAt, () => api.request("GET", "/api/v1/nodes"));
}

/** The same for an empty server: what Deno itself takes. */
async function startBare(): Promise<number> {
  const port = freePort();
  const from = systemClock.monotonic();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--quiet",
      `--allow-net=127.0.0.1:${port}`,
      new URL("empty_server_lib.ts", import.meta.url).pathname,
      String(port),
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    return await untilAnswer(from, async () => {
      await (await fetch(`http://127.0.0.1:${port}/`)).body?.cancel();
    });
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}

async function main(): Promise<void> {
  const load = loadNow();
  await using stand = await Stand.open();
  await stand.startHub();
  await stand.startRunner();
  await stand.join();
  const first = await startAgent(stand, true);
  await startBare();
  const times: Record<"joined" | "alone" | "bare", number[]> = { joined: [], alone: [], bare: [] };
  for (let run = 0; run < RUNS; run++) {
    times.joined.push(await startAgent(stand, false));
    times.alone.push(await startAgent(stand, true));
    times.bare.push(await startBare());
    note(
      `run ${run}: ${JSON.stringify(Object.values(times).map((all) => round(all.at(-1) ?? 0, 0)))}`,
    );
  }
  const [joined, alone, bare] = [times.joined, times.alone, times.bare].map(percentiles);
  if (!joined || !alone || !bare) throw new TypeError("no runs");
  const beside = { name: "empty Deno.serve", value: round(bare.p50, 1) };
  print({
    bench: "start",
    conditions: conditions({ load, runs: RUNS, poll: "2 ms", caches: "warm", launcher: "none" }),
    figures: [
      figure("local-api-ms", joined.p50, "ms", { goal: 500, beside }),
      figure("local-api-max-ms", Math.max(...times.joined), "ms"),
      figure("local-api-alone-ms", alone.p50, "ms", { goal: 500, beside }),
      figure("local-api-alone-max-ms", Math.max(...times.alone), "ms"),
      figure("local-api-first-ms", first, "ms"),
    ].map((one) => ({ ...one, value: round(one.value, 1) })),
  });
}

if (import.meta.main) await main();
