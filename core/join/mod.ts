/** The join room: a node's identity and how it gets one; for the agent and for `skerry join`. */
export * from "./advice.ts";
export * from "./files.ts";
export * from "./identity.ts";
export * from "./join.ts";
