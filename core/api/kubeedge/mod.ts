/** KubeEdge's kinds: their schemas, columns and checks. Reached through `core/api/mod.ts`. */
export type {
  EdgeApplication,
  EdgeApplicationSpec,
  EdgeApplicationStatus,
  NodeGroup,
  NodeGroupSpec,
  NodeGroupStatus,
  Overriders,
} from "./apps.ts";
export type { DeviceModelSpec, DeviceSpec, DeviceStatusStatus } from "./devices.ts";
export type { ConfigUpdateJobSpec, ImagePrePullJobSpec, NodeUpgradeJobSpec } from "./operations.ts";
export type { ServiceAccountAccessSpec } from "./policy.ts";
export type { RuleEndpointSpec, RuleSpec } from "./rules.ts";
export { type CustomColumn, customColumns } from "./columns.ts";
export { customKind } from "./kinds.ts";
export { customProblems, pruneCustom } from "./check.ts";
export type { CustomKind } from "./schema.ts";
