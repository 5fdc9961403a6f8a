/** A real Kubernetes control plane for tests and for hand work. */
export { buildKube, buildMetricsServer, type KubePrograms } from "./build.ts";
export { makeServing } from "./certificates.ts";
export { KubeCluster, type KubeClusterOptions } from "./cluster.ts";
export { type Component, COMPONENTS } from "./commands.ts";
export { type OpenCluster, openCluster } from "./open.ts";
export { isEstablished, prepareCluster, untilServed } from "./prepare.ts";
export { visitCluster } from "./visit.ts";
