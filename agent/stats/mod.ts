/** The stats room: what this node and its pods use, as a kubelet tells it. */
export type { MachineUsage } from "./machine.ts";
export { NodeStats, type NodeStatsOptions } from "./node_stats.ts";
export { statsRoutes } from "./routes.ts";
export type * from "./summary_types.ts";
