/** The pods room: runs the pods of this node, as a kubelet does. */
export { type LogRequest, PodManager } from "./manager.ts";
export { buryPod, type PodConfig, type PodManagerOptions, type PodReports } from "./options.ts";
export { decide } from "./decide.ts";
export type { Plan, PodEvent } from "./plan.ts";
export { POD_FIELDS } from "./support_table.ts";
export { StaticPods, type StaticPodsOptions } from "./static_pods.ts";
export { parseResolvConf } from "./resolv_conf.ts";
