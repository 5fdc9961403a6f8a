/** The pods room: runs the pods of this node, as a kubelet does. */
export { PodManager } from "./manager.ts";
export type { LogRequest, PodRequest } from "./pod_doors.ts";
export {
  buryPod,
  type NodeVerdicts,
  type PodConfig,
  type PodManagerOptions,
  type PodReports,
} from "./options.ts";
export { type PodStorage, podStorage, type TreeUsage } from "./pod_storage.ts";
export { logRotation } from "./logs/rotate.ts";
export { otherNodesText } from "./other_nodes.ts";
export { admit, forbiddenSysctls } from "./policy/admission.ts";
export { decide } from "./policy/decide.ts";
export type {
  NodePolicy,
  Plan,
  PodEvent,
  ProbeView,
  Rejection,
  Termination,
} from "./policy/plan.ts";
export { isCritical, type IsOwn, priorityOf } from "./policy/priority.ts";
export { taintEndsAt } from "./policy/taint_eviction.ts";
export { POD_FIELDS, type Rule } from "./policy/support_table.ts";
export { refusals, refusalText } from "./policy/support.ts";
export type { ProbeCount } from "./probes/tally.ts";
export type { Stray } from "./strays.ts";
export type { StreamTarget } from "./stream_target.ts";
export { API_NAMES, type LocalApiPlace } from "./config/local_api.ts";
export { type Account, accountTokens, type TokenOwner, tokenOwner } from "./token_owner.ts";
export type { RequestToken } from "./token_keeper.ts";
export { countTokens } from "./pod_tokens.ts";
export { cgroupNumbers } from "./policy/resources.ts";
export type { ShutdownGroup } from "./stop_all.ts";
export { CRITICAL_PRIORITY } from "./policy/priority.ts";
export { StaticPods, type StaticPodsOptions } from "./static_pods.ts";
export { parseResolvConf } from "./config/resolv_conf.ts";
export { dropFormerDirs, findMemoryDir } from "./volumes/memory_dir.ts";
export type { VolumeUsage } from "./volumes/usage.ts";
export { PodPaths } from "./paths.ts";
export {
  DEVICE_SPACE,
  type DeviceAnswer,
  type DeviceGrant,
  extendedWants,
  neededDevices,
  type PodDevices,
} from "./devices.ts";
