import { type KubeObject, type ObjectRef, RESOURCES, setDefaults } from "../api/mod.ts";
import { isAppError } from "../base/mod.ts";
import type { Store } from "../store/mod.ts";

/** The namespace of the hub's own objects: the CA, tokens and identities. */
export const SYSTEM_NAMESPACE = "skerry-system";

/** The label of the Secrets of nodes' identities; its value is `true`. */
export const IDENTITY_LABEL = "skerry.dev/identity";

/** Names a Secret of the hub's own namespace. */
export function systemSecret(name: string): ObjectRef {
  return { resource: RESOURCES.secrets, namespace: SYSTEM_NAMESPACE, name };
}

/** Makes sure that {@linkcode SYSTEM_NAMESPACE} exists, as far as the store allows that. */
export async function ensureSystemNamespace(store: Store): Promise<void> {
  try {
    return void await store.get({ resource: RESOURCES.namespaces, name: SYSTEM_NAMESPACE });
  } catch (error) {
    // Whoever may write its Secrets need not be allowed to look at it.
    if (isAppError(error, "Forbidden")) return;
    if (!isAppError(error, "NotFound")) throw error;
  }
  const object: KubeObject = {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: SYSTEM_NAMESPACE },
  };
  setDefaults(RESOURCES.namespaces, object);
  try {
    await store.create(RESOURCES.namespaces, object);
  } catch (error) {
    // On a cluster the hub may make none: who gives it its rights makes the namespace too.
    if (!isAppError(error, "AlreadyExists", "Forbidden")) throw error;
  }
}
