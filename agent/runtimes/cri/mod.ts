/** CRI v1 over Deno's `fetch` (docs/decisions/003-cri-over-fetch.md). */
export { createCriRuntime, type CriRuntimeOptions } from "./cri_runtime.ts";
