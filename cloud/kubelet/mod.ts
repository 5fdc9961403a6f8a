/** The kubelet room of the hub: what kubectl asks of a pod's node, through the tunnel. */
export * from "./call.ts";
export * from "./dial.ts";
export * from "./door.ts";
export * from "./node_proxy.ts";
export * from "./pod_log.ts";
export * from "./cluster_auth.ts";
export * from "./endpoints.ts";
export * from "./ports.ts";
export * from "./signed_serving.ts";
