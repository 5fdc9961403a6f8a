/** What decides whether a pod may run on a node: asked by the scheduler and by the node itself. */
export * from "./autonomy.ts";
export * from "./node_affinity.ts";
export * from "./pod_resources.ts";
export * from "./taints.ts";
export * from "./tolerations.ts";
