/** One test's stay on a cluster: at its end everything that it made is gone. */
import { AppError, isAppError, minutes, ms, sleep, systemClock } from "../../core/base/mod.ts";
import {
  type KubeObject,
  type ObjectRef,
  RESOURCE_LIST,
  type ResourceDef,
  RESOURCES,
} from "../../core/api/mod.ts";
import { SYSTEM_NAMESPACE } from "../../core/tokens/mod.ts";
import { type OpenCluster, openCluster } from "./open.ts";
import { isStandard, prepareCluster } from "./prepare.ts";

/** The namespaces in which tests make objects; those of a namespace that they make go with it. */
const NAMESPACES: readonly string[] = ["default", SYSTEM_NAMESPACE];
const LIMIT = minutes(3);

/** What tests make that is no kind of the embedded hub. */
function foreign(group: string, plural: string, kind: string): ResourceDef {
  return { ...RESOURCES.nodes, group, version: "v1", plural, kind };
}

const CLUSTER_WIDE: readonly ResourceDef[] = [
  ...RESOURCE_LIST.filter(({ namespaced }) => !namespaced),
  foreign("certificates.k8s.io", "certificatesigningrequests", "CertificateSigningRequest"),
  foreign("rbac.authorization.k8s.io", "clusterroles", "ClusterRole"),
  foreign("rbac.authorization.k8s.io", "clusterrolebindings", "ClusterRoleBinding"),
];

/** An object and where it is. */
type Found = readonly [ObjectRef, KubeObject];

/**
 * Begins a stay, on a cluster that is made ready where it is not. Disposing it removes what has been
 * made since: nodes, all objects in `default` and `skerry-system`, namespaces, what has no namespace.
 *
 * @throws {AppError} as `prepareCluster`; at the end Timeout, with what did not go
 */
export async function visitCluster(kubeconfig: string): Promise<AsyncDisposable> {
  await using held = new AsyncDisposableStack();
  const cluster = held.use(await openCluster(kubeconfig));
  held.use(await prepareCluster(kubeconfig));
  const before = new Set((await everything(cluster)).map(([, { metadata }]) => metadata.uid));
  held.defer(() => removeOthers(cluster, before));
  return held.move();
}

async function removeOthers(
  cluster: OpenCluster,
  before: ReadonlySet<string | undefined>,
): Promise<void> {
  const end = systemClock.monotonic() + LIMIT;
  for (;;) {
    const left = (await everything(cluster)).filter(([, { metadata }]) =>
      !before.has(metadata.uid)
    );
    if (left.length === 0) return;
    if (systemClock.monotonic() > end) {
      const names = left.map(([, { kind, metadata }]) => `${kind} ${metadata.name}`).join(", ");
      throw new AppError("Timeout", `a test left this at ${cluster.client.server}: ${names}`);
    }
    // Controllers may make some anew until what they make it for has gone as well.
    await Promise.all(left.map((found) => removeOne(cluster, found)));
    await sleep(systemClock, ms(50));
  }
}

async function removeOne({ store }: OpenCluster, [ref, object]: Found): Promise<void> {
  const { uid = "", finalizers = [], deletionTimestamp } = object.metadata;
  try {
    if (deletionTimestamp === undefined || ref.resource === RESOURCES.pods) {
      await store.delete(ref, { gracePeriodSeconds: 0, preconditions: { uid } });
    }
    // Whoever waited for its end has ended with the test. Namespaces have another way.
    if (finalizers.length > 0) {
      await store.update(ref, (current) => ({
        ...current,
        metadata: { ...current.metadata, finalizers: [] },
      }));
    }
  } catch (error) {
    if (!isAppError(error, "NotFound", "Conflict")) throw error;
  }
}

async function everything({ store }: OpenCluster): Promise<Found[]> {
  const list = async (resource: ResourceDef, namespace?: string): Promise<Found[]> => {
    const { items } = await store.list(resource, namespace === undefined ? {} : { namespace });
    return items.filter((object) => !isStandard(object)).map((object) => {
      const { name } = object.metadata;
      const of = object.metadata.namespace;
      return [{ resource, name, ...(of === undefined ? {} : { namespace: of }) }, object];
    });
  };
  const lists = [
    ...CLUSTER_WIDE.map((resource) => list(resource)),
    ...NAMESPACES.flatMap((namespace) =>
      RESOURCE_LIST.filter(({ namespaced }) => namespaced)
        .map((resource) => list(resource, namespace))
    ),
  ];
  return (await Promise.all(lists)).flat();
}
