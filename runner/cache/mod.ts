/** The runner's files: modules, compiled modules, state; and the processes that compile. */
export * from "./child.ts";
export * from "./files.ts";
export * from "./modules.ts";
export * from "./state.ts";
