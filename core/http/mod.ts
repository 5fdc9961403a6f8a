/** The HTTP room: the Kubernetes API over a Store, without a transport, and an HTTPS server for it. */
export {
  type Api,
  type ApiOptions,
  createApi,
  DEFAULT_LIMITS,
  type InventoryEntry,
} from "./api.ts";
export { atEnd } from "./at_end.ts";
export {
  type AuthenticateOptions,
  bearerToken,
  createAuthenticate,
  refuseImpersonation,
  unauthorized,
} from "./authn.ts";
export {
  ADMIN_GROUP,
  ANONYMOUS,
  AUTHENTICATED_GROUP,
  forbidden,
  nodeOf,
  rbacLike,
  type RbacOptions,
  type Rule,
  VIEWER_GROUP,
} from "./authz.ts";
export { type JsonObject, parseJson, readBody, readJson } from "./body.ts";
export { type MetricsServerOptions, metricsService } from "./metrics_server.ts";
export { jsonResponse } from "./render.ts";
export { isRead, isTrue } from "./request_info.ts";
export { errorResponse, logErrorResponse, type Status, statusOf, type Subject } from "./status.ts";
export {
  assertRefusesBareClients,
  type HttpsServer,
  type HttpsServerOptions,
  serveHttps,
} from "./server.ts";
export type * from "./types.ts";
