/** A real Kubernetes control plane for tests and for hand work. */
export { buildKube, type KubePrograms } from "./build.ts";
export { KubeCluster, type KubeClusterOptions } from "./cluster.ts";
export { type Component, COMPONENTS } from "./commands.ts";
