/** The sync room: what the messages between hub and node mean, on either side. */
export * from "./intent_node.ts";
export { mergePodStatus } from "./intent_pod.ts";
export * from "./intents.ts";
export * from "./interest.ts";
export { INTERESTING_SLICES, NODE_KINDS } from "./kinds.ts";
export * from "./kubelet_endpoint.ts";
export * from "./messages.ts";
export * from "./node_word.ts";
export * from "./object_key.ts";
export * from "./outbox.ts";
export * from "./refusals.ts";
export * from "./replica.ts";
export * from "./results.ts";
export * from "./sender.ts";
export * from "./version.ts";
export * from "./view.ts";
