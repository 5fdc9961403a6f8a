/** The runtimes room: sandboxes and containers behind one interface. */
export * from "./runtime.ts";
