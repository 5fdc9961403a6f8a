/** The kube room: a Kubernetes API server as a `Store`, and the thin client that speaks to it. */
export { type Impersonation, KubeClient, type KubeClientOptions } from "./client.ts";
export {
  hostOf,
  IN_CLUSTER,
  type KubeEndpoint,
  readEndpoint,
  SERVICE_ACCOUNT_DIR,
} from "./config.ts";
export { pathOf } from "./paths.ts";
export { RemoteStore, type RemoteStoreOptions } from "./remote_store.ts";
