/** The kube room: a Kubernetes API server as a `Store`, and the thin client that speaks to it. */
export { asNode, type ImpersonationMode, impersonationMode } from "./as_node.ts";
export {
  type Impersonation,
  type KubeCall,
  KubeClient,
  type KubeClientOptions,
  type Probed,
  type SeenRequest,
} from "./client.ts";
export {
  clusterAccess,
  IN_CLUSTER,
  IN_CLUSTER_FILES,
  type KubeEndpoint,
  readEndpoint,
  SERVICE_ACCOUNT_DIR,
} from "./config.ts";
export { isKindGone, kindDiscovery, type KindFinder } from "./discovery.ts";
export {
  ANSWERED_BY,
  API_SERVER,
  Forwarder,
  type ForwarderOptions,
  MAYBE_DONE,
  NOBODY,
} from "./forward.ts";
export { pathOf } from "./paths.ts";
export { requestToken, type TokenRequest } from "./token_request.ts";
export { reviewAccess, reviewToken } from "./reviews.ts";
export { type Regress, VersionMark } from "./version_mark.ts";
export { GROUPS, OBJECT } from "./shapes.ts";
export { RemoteStore, type RemoteStoreOptions } from "./remote_store.ts";
export { isDenied, isUnreachable } from "./errors.ts";
