/** The api room of the agent: the node's own Kubernetes API, for people on the machine and for pods. */
export * from "./credentials.ts";
export { HubApi, type HubApiOptions } from "./hub_api.ts";
export * from "./local_api.ts";
export { type Away } from "./node_store.ts";
export { type ClusterPhase, createPodsApi, type PodsApiOptions } from "./pods_api.ts";
export { RuleKeeper, type RuleKeeperOptions } from "./rule_keeper.ts";
