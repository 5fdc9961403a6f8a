/** The node room of the agent: what this machine is, and its Node object. */
export * from "./facts.ts";
export * from "./node_object.ts";
export * from "./node_service.ts";
