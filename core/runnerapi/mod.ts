/** What agent, runner and tools share about the runner: its control protocol and its library. */
export * from "./library.ts";
export * from "./client.ts";
export * from "./protocol.ts";
