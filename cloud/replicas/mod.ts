/** The replicas room: hubs of one cluster know each other, lead in turn, and pass on streams. */
export * from "./leader.ts";
export * from "./peers.ts";
export * from "./presence.ts";
