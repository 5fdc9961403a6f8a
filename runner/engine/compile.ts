import { AppError, mib, ms, systemClock } from "../../core/base/mod.ts";
import type { AbiVerdict, HostOffer } from "../abi/mod.ts";
import { judgeAbi, notAModule } from "../abi/mod.ts";
import { describeModule, type ModuleDescription } from "./describe.ts";
import { Engine } from "./engine.ts";
import { type Abi, Invoker } from "./invoke.ts";
import { layoutOf } from "./layout.ts";
import { loadLibc } from "./libc.ts";
import { loadLibrary } from "./library.ts";
import { hostOffer } from "./offer.ts";
import type { EngineSettings } from "./settings.ts";
import { Ticker } from "./ticker.ts";

/** What a compiler process is told. */
export interface CompileJob {
  readonly library: string;
  readonly major: number;
  readonly settings: EngineSettings;
  /** The module. */
  readonly input: string;
  /** Where the compiled module goes; written in place, so it must be a name that nobody reads. */
  readonly output: string;
}

/** What a compiler process found. */
export interface CompileReport {
  /** By ABI: fits, or the problem. */
  readonly verdicts: Readonly<Record<Abi, AbiVerdict>>;
  /** Bytes of memory that an instance has from the start. */
  readonly minMemoryBytes: number;
  /** SHA-256 of the compiled file, hex, and its size. */
  readonly sha256: string;
  readonly size: number;
  /** Milliseconds that compiling took. */
  readonly compileMs: number;
}

/** Time that a module's start function may take while it is tried. */
const TRIAL_TIMEOUT = ms(1000);
const TICK = ms(5);

/**
 * Compiles a module and tries it: loads the result and makes one instance with each ABI that it
 * fits. Runs in a process of its own, which is nice to others and may die.
 *
 * @throws {AppError} Invalid when the module is none, or cannot be instantiated
 */
export async function compileModule(job: CompileJob): Promise<CompileReport> {
  const libc = loadLibc();
  // PRIO_PROCESS, this process: a compile must not take time from calls that are served meanwhile.
  libc.symbols.setpriority(0, 0, 10);
  const wasm = await Deno.readFile(job.input);
  const bad = notAModule(wasm);
  if (bad !== undefined) throw new AppError("Invalid", `the module ${bad}`);
  const library = loadLibrary(job.library);
  const engine = new Engine(library, job.settings);
  const started = systemClock.monotonic();
  const compiled = engine.compile(wasm);
  const compileMs = Math.round(systemClock.monotonic() - started);
  await Deno.writeFile(job.output, compiled, { mode: 0o600 });
  using module = engine.load(job.output);
  const description = describeModule(engine, module);
  const verdicts = judge(description);
  const ticker = new Ticker({ engine, library: job.library, tick: TICK });
  await ticker.start();
  const invoker = new Invoker({
    engine,
    layout: layoutOf(job.major),
    libc,
    ticker,
    clock: systemClock,
  });
  for (const abi of ["skerry-core-v1", "wasi-command"] as const) {
    if (!verdicts[abi].fits) continue;
    using prepared = invoker.prepare(module, abi);
    const problem = invoker.tryInstance(prepared, {
      memoryBytes: Math.max(job.settings.maxMemory, mib(1)),
      timeout: TRIAL_TIMEOUT,
    });
    if (problem !== undefined) {
      throw new AppError("Invalid", `the module does not start: ${problem}`);
    }
  }
  await ticker[Symbol.asyncDispose]();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", compiled)).toHex();
  return {
    verdicts,
    minMemoryBytes: description.exports.find(({ name }) => name === "memory")?.minBytes ?? 0,
    sha256: digest,
    size: compiled.length,
    compileMs,
  };
}

function judge(description: ModuleDescription): Record<Abi, AbiVerdict> {
  const offer = (abi: Abi): HostOffer => hostOffer(abi);
  return {
    "skerry-core-v1": judgeAbi("skerry-core-v1", description, offer("skerry-core-v1")),
    "wasi-command": judgeAbi("wasi-command", description, offer("wasi-command")),
  };
}
