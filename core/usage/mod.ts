/** The usage room: `metrics.k8s.io`, made of what nodes say when somebody asks. */
export { metricsApi } from "./metrics_api.ts";
export { NodeUsage, readNodeUsage, USAGE_PATH } from "./node_usage.ts";
export type { ReadUsage } from "./usage_reader.ts";
