import {
  groupResource,
  type KubeObject,
  type Namespace,
  RESOURCE_LIST,
  type ResourceDef,
  RESOURCES,
  type ServiceAccount,
} from "../../core/api/mod.ts";
import { AppError, isAppError, type Ms, seconds, type Service } from "../../core/base/mod.ts";
import { createController, keyOf, trigger } from "../../core/control/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import type { PlaneContext } from "./context.ts";

/** The namespaces that every cluster has. */
export const DEFAULT_NAMESPACES = [
  "default",
  "kube-system",
  "kube-public",
  "kube-node-lease",
] as const;
/** The finalizer in `spec.finalizers` that holds a namespace until its contents are gone. */
const FINALIZER = "kubernetes";

/** Makes sure that {@linkcode DEFAULT_NAMESPACES} exist. */
export async function ensureNamespaces(store: Store): Promise<void> {
  for (const name of DEFAULT_NAMESPACES) {
    const object: Namespace = {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name, labels: { "kubernetes.io/metadata.name": name } },
      spec: { finalizers: [FINALIZER] },
    };
    try {
      await store.create(RESOURCES.namespaces, object);
    } catch (error) {
      if (!isAppError(error, "AlreadyExists")) throw error;
    }
  }
}

/** Holds namespaces while they have contents, empties those that are deleted. */
export function createNamespaceController(context: PlaneContext): Service {
  const { store, actor } = context;
  const namespaces = context.views.of<Namespace>(RESOURCES.namespaces);
  return createController({
    ...context,
    name: "namespace-controller",
    triggers: [trigger(namespaces, (namespace) => [keyOf(namespace)])],
    reconcile: async (name) => {
      const namespace = namespaces.get(name);
      if (!namespace) return;
      const finalizers = namespace.spec?.finalizers ?? [];
      if (namespace.metadata.deletionTimestamp === undefined) {
        if (finalizers.includes(FINALIZER)) return;
        const object = setFinalizers(namespace, [...finalizers, FINALIZER]);
        await actor.run([{ do: "update", resource: RESOURCES.namespaces, object }]);
        return;
      }
      if (namespace.status?.phase !== "Terminating") {
        const object = { ...namespace, status: { ...namespace.status, phase: "Terminating" } };
        await actor.run([{ do: "status", resource: RESOURCES.namespaces, object }]);
        return;
      }
      const left = await empty(context, name);
      if (left > 0) return seconds(1) as Ms;
      const object = setFinalizers(namespace, finalizers.filter((one) => one !== FINALIZER));
      await actor.run([{ do: "update", resource: RESOURCES.namespaces, object }]);
      context.log.info("namespace removed", { name });
    },
  });

  /** Deletes what is in a namespace. Returns how much is still there. */
  async function empty({ actor }: PlaneContext, namespace: string): Promise<number> {
    let left = 0;
    for (const resource of RESOURCE_LIST) {
      if (!resource.namespaced) continue;
      for (const object of await contents(store, resource, namespace)) {
        if (object.metadata.deletionTimestamp === undefined) {
          await actor.run([{ do: "delete", resource, object }]);
        }
      }
      left += (await contents(store, resource, namespace)).length;
    }
    return left;
  }
}

async function contents(
  store: Store,
  resource: ResourceDef,
  namespace: string,
): Promise<readonly KubeObject[]> {
  try {
    return (await store.list(resource, { namespace })).items;
  } catch (cause) {
    // A kind that cannot be listed must not be taken for an empty one.
    throw new AppError(
      "InternalError",
      `namespace "${namespace}" cannot be emptied: ${groupResource(resource)} cannot be listed`,
      { cause },
    );
  }
}

function setFinalizers(namespace: Namespace, finalizers: string[]): Namespace {
  return { ...namespace, spec: { ...namespace.spec, finalizers } };
}

/** Gives every namespace its `default` ServiceAccount, which pods name when they name none. */
export function createServiceAccountController(context: PlaneContext): Service {
  const namespaces = context.views.of<Namespace>(RESOURCES.namespaces);
  const accounts = context.views.of<ServiceAccount>(RESOURCES.serviceaccounts);
  return createController({
    ...context,
    name: "serviceaccount-controller",
    triggers: [
      trigger(namespaces, (namespace) => [namespace.metadata.name]),
      trigger(accounts, (account) => [account.metadata.namespace ?? ""]),
    ],
    reconcile: async (namespace) => {
      const owner = namespaces.get(namespace);
      if (!owner || owner.metadata.deletionTimestamp !== undefined) return;
      if (accounts.get(`${namespace}/default`)) return;
      const object: ServiceAccount = {
        apiVersion: "v1",
        kind: "ServiceAccount",
        metadata: { name: "default", namespace },
      };
      try {
        await context.actor.create(RESOURCES.serviceaccounts, object);
      } catch (error) {
        if (!isAppError(error, "AlreadyExists", "Forbidden", "NotFound")) throw error;
      }
    },
  });
}
