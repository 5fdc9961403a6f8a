/** The node room of the agent: what this machine is, and its Node object. */
export * from "./disk.ts";
export * from "./facts.ts";
export type { Pressure, RuntimeState } from "./node_conditions.ts";
export type { NodeEvent } from "./node_events.ts";
export * from "./node_object.ts";
export * from "./node_service.ts";
export * from "./register_labels.ts";
export * from "./register_taints.ts";
