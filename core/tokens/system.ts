import { type KubeObject, type ObjectRef, RESOURCES, setDefaults } from "../api/mod.ts";
import { isAppError } from "../base/mod.ts";
import type { Store } from "../store/mod.ts";

/** The namespace of the hub's own objects: the CA, tokens and identities. */
export const SYSTEM_NAMESPACE = "skerry-system";

/** Names a Secret of the hub's own namespace. */
export function systemSecret(name: string): ObjectRef {
  return { resource: RESOURCES.secrets, namespace: SYSTEM_NAMESPACE, name };
}

/** Makes sure that {@linkcode SYSTEM_NAMESPACE} exists. */
export async function ensureSystemNamespace(store: Store): Promise<void> {
  const object: KubeObject = {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: SYSTEM_NAMESPACE },
  };
  setDefaults(RESOURCES.namespaces, object);
  try {
    await store.create(RESOURCES.namespaces, object);
  } catch (error) {
    // On a cluster the hub may make none, and whoever gave it its rights has made this one.
    if (!isAppError(error, "AlreadyExists", "Forbidden")) throw error;
  }
}
