/**
 * The runner's helper process: probes an engine's settings, or compiles and tries one module.
 * `child_main.ts probe|compile JSON`; prints one JSON line and ends. Started by the runner only.
 */
import { AppError, errorText } from "../../core/base/mod.ts";
import { type CompileJob, compileModule } from "./compile.ts";
import { probeEngine } from "./probe.ts";
import type { EngineSettings } from "./settings.ts";

async function main(verb: string, text: string): Promise<unknown> {
  const input: unknown = JSON.parse(text);
  if (verb === "compile") return await compileModule(input as CompileJob);
  const { library, settings } = input as { library: string; settings: EngineSettings };
  return await probeEngine(library, settings);
}

const [verb = "", text = "{}"] = Deno.args;
let answer: unknown;
try {
  answer = { ok: await main(verb, text) };
} catch (error) {
  const code = error instanceof AppError ? error.code : "InternalError";
  answer = { error: { code, message: errorText(error) } };
}
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(answer)));
// Threads of the library and the ticker end with the process.
Deno.exit(0);
