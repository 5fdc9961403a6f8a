/** The api room of the agent: the node's own Kubernetes API on 127.0.0.1. */
export * from "./credentials.ts";
export * from "./local_api.ts";
