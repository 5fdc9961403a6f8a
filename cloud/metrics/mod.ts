/** The metrics room: what a hub counts of its links, its cluster and its API server. */
export { ApiTraffic } from "./api_traffic.ts";
export { ClusterMetrics, type ClusterParts } from "./cluster_metrics.ts";
export { expiryOf } from "./expiry.ts";
export { HubMetrics, type HubParts } from "./hub_metrics.ts";
export { type OnPodRequest, resultOfAnswer, resultOfError } from "./pod_requests.ts";
