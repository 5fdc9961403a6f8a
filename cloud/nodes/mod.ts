/** The nodes room: Leases of connected nodes, and what becomes of nodes that fall silent. */
export { createNodes, type LeaseObserver, type NodeSession, type NodesOptions } from "./nodes.ts";
