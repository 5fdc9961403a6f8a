/**
 * The streaming room: what exec, attach and port-forward are on their way from a client of the API
 * to a node's runtime, and what the hub asks of a node's kubelet.
 */
export * from "./tunnel.ts";
