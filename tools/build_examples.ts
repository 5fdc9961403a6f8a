/** Builds every example below `wasm-examples/`: `deno task examples`. */
import { buildFilter } from "../wasm-examples/filter/build.ts";
import { buildHello } from "../wasm-examples/hello/build.ts";
import { buildWasiCommand } from "../wasm-examples/wasi-command/build.ts";

/** Builds the examples, one after the other. */
export async function buildExamples(): Promise<void> {
  await buildHello();
  await buildWasiCommand();
  await buildFilter();
}

if (import.meta.main) await buildExamples();
