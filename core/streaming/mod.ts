/**
 * The streaming room: what exec, attach and port-forward are on their way from a client of the API
 * to a node's runtime, and what the hub asks of a node's kubelet.
 */
export * from "./channel.ts";
export * from "./offer.ts";
export * from "./quiet_pings.ts";
export * from "./remote_command.ts";
export * from "./runtime_upgrade.ts";
export * from "./serve.ts";
export * from "./spdy.ts";
export * from "./subresources.ts";
export * from "./target.ts";
export * from "./tunnel.ts";
