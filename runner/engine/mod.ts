/** The engine: the binding of libwasmtime, and the only place with FFI. */
export type { CompileJob, CompileReport } from "./compile.ts";
export * from "./describe.ts";
export * from "./engine.ts";
export * from "./host.ts";
export * from "./invoke.ts";
export * from "./layout.ts";
export * from "./libc.ts";
export * from "./library.ts";
export * from "./offer.ts";
export type { ProbeResult } from "./probe.ts";
export * from "./settings.ts";
export * from "./ticker.ts";
export * from "./version.ts";
export * from "./wat.ts";
