/** Runs containers: the interface and its two implementations. */
export * from "./runtime.ts";
export { ExecTurns } from "./exec_turns.ts";
export { createCriRuntime, type CriRuntimeOptions } from "./cri/mod.ts";
