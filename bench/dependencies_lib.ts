import { type Figure, figure, note, round } from "./figures_lib.ts";
import { type Memory, memoryOf } from "./memory_lib.ts";
import { ms, sleep, systemClock } from "../core/base/mod.ts";

/** What is loaded, alone, into an empty program. Ours show what they cost with all they need. */
const MODULES = [
  "zod",
  "yaml",
  "node:https",
  "node:sqlite",
  "@bufbuild/protobuf",
  "@peculiar/x509",
  "ws",
  "../core/pki/mod.ts",
  "../core/store/mod.ts",
  "../core/http/mod.ts",
  "../core/link/mod.ts",
  "../agent/runtimes/mod.ts",
  "../agent/process/mod.ts",
] as const;
const RUNS = 3;

/** MiB that loading each module adds to an empty program (median of 3), with the parts' V8 flags. */
export async function measureDependencies(binary: string): Promise<Figure[]> {
  const empty = await median(binary, "");
  const figures = [
    figure("empty-pss", empty.pss, "MiB"),
    figure("empty-pss-anon", empty.pssAnon, "MiB"),
  ];
  for (const module of MODULES) {
    const full = await median(binary, module);
    const name = module.replace(/^\.\.\//, "").replace(/\/mod\.ts$/, "");
    figures.push(
      figure(`load ${name} pss`, full.pss - empty.pss, "MiB"),
      figure(`load ${name} pss-anon`, full.pssAnon - empty.pssAnon, "MiB"),
    );
    note(`${name}: ${round(full.pss - empty.pss, 1)} MiB`);
  }
  return figures;
}

async function median(binary: string, module: string): Promise<Memory> {
  const all: Memory[] = [];
  for (let run = 0; run < RUNS; run++) all.push(await measure(binary, module));
  const middle = all.sort((a, b) => a.pss - b.pss)[Math.floor(RUNS / 2)];
  if (!middle) throw new TypeError("no run");
  return middle;
}

async function measure(binary: string, module: string): Promise<Memory> {
  const child = new Deno.Command(binary, {
    args: [
      "run",
      "--no-prompt",
      "--quiet",
      "--cached-only",
      "--v8-flags=--max-semi-space-size=1,--optimize-for-size,--expose-gc",
      "--allow-all",
      new URL("memory_probe_lib.ts", import.meta.url).pathname,
      module,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
    env: { MALLOC_ARENA_MAX: "1" },
  }).spawn();
  const reader = child.stdout.getReader();
  try {
    const { done } = await reader.read();
    if (done) throw new Error(`loading ${module} failed`);
    await sleep(systemClock, ms(300));
    return memoryOf(child.pid);
  } finally {
    await child.stdin.abort();
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
  }
}
