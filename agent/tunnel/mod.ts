/** The tunnel room of the agent: what the hub, or the machine's own user, reads from pods. */
export * from "./local_log.ts";
export * from "./serve_stream.ts";
