import {
  type KubeObject,
  matchLabelSelector,
  type ObjectRef,
  type ResourceDef,
  RESOURCES,
} from "../../core/api/mod.ts";
import { isAppError } from "../../core/base/mod.ts";
import type { LocalStore } from "../../core/store/mod.ts";

const WATCHED = [
  RESOURCES.deployments,
  RESOURCES.replicasets,
  RESOURCES.pods,
  RESOURCES.namespaces,
];

/**
 * Plays scheduler, and the Deployment and namespace controllers, just enough for kubectl's waiting
 * verbs: every pod goes to `edge-1`, Deployments own one ReplicaSet per template.
 */
export async function runActor(store: LocalStore, signal: AbortSignal): Promise<void> {
  const loops = WATCHED.map(async (resource) => {
    using watch = await store.watch(resource);
    const stop = (): void => watch.abort();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) watch.abort();
    for await (const event of watch) {
      if (event.type === "BOOKMARK") continue;
      try {
        await act(store, resource, event.object);
      } catch (error) {
        // Somebody else was faster; their change comes as the next event.
        if (!isAppError(error, "Conflict", "NotFound", "AlreadyExists", "Forbidden")) throw error;
      }
    }
  });
  await Promise.all(loops);
}

function refOf(resource: ResourceDef, { metadata: { name, namespace } }: KubeObject): ObjectRef {
  return { resource, name, ...(namespace === undefined ? {} : { namespace }) };
}

async function act(store: LocalStore, resource: ResourceDef, object: KubeObject): Promise<void> {
  switch (resource) {
    case RESOURCES.namespaces:
      return await endNamespace(store, object);
    case RESOURCES.pods:
      await schedule(store, object);
      return await forOwners(store, object);
    case RESOURCES.deployments:
      return await rollOut(store, object);
    case RESOURCES.replicasets:
      return await forOwners(store, object);
  }
}

async function endNamespace(store: LocalStore, { metadata }: KubeObject): Promise<void> {
  if (metadata.deletionTimestamp === undefined) return;
  for (const resource of Object.values(RESOURCES)) {
    if (!resource.namespaced) continue;
    const { items } = await store.list(resource, { namespace: metadata.name });
    for (const one of items) {
      await store.delete(refOf(resource, one), { gracePeriodSeconds: 0 });
    }
  }
  const ref = { resource: RESOURCES.namespaces, name: metadata.name };
  await store.update(ref, (current) => ({
    ...current,
    metadata: { ...current.metadata, finalizers: [] },
    spec: { ...current["spec"], finalizers: [] },
  }));
}

async function schedule(store: LocalStore, pod: KubeObject): Promise<void> {
  const ref = refOf(RESOURCES.pods, pod);
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (pod["spec"].nodeName === undefined) await store.delete(ref, { gracePeriodSeconds: 0 });
    return;
  }
  if (pod["spec"].nodeName !== undefined) return;
  await store.update(ref, (current) => ({
    ...current,
    spec: { ...current["spec"], nodeName: "edge-1" },
  }));
}

async function forOwners(store: LocalStore, object: KubeObject): Promise<void> {
  const { items } = await store.list(RESOURCES.deployments, {
    namespace: object.metadata.namespace ?? "",
  });
  for (const deployment of items) {
    if (matchLabelSelector(deployment["spec"].selector, object.metadata.labels ?? {})) {
      await rollOut(store, deployment);
    }
  }
}

async function rollOut(store: LocalStore, stale: KubeObject): Promise<void> {
  const ref = refOf(RESOURCES.deployments, stale);
  const deployment = await store.get(ref);
  const namespace = deployment.metadata.namespace ?? "";
  const spec = deployment["spec"];
  const hash = await hashOf(spec.template);
  const name = `${deployment.metadata.name}-${hash}`;
  const labels = { ...spec.template.metadata.labels, "pod-template-hash": hash };
  const owner = ownerOf(deployment);
  const replica = await ensure(store, RESOURCES.replicasets, {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name, namespace, labels, ownerReferences: [owner] },
    spec: {
      replicas: spec.replicas,
      selector: { matchLabels: labels },
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
    },
  });
  const selector = Object.entries(spec.selector.matchLabels).map(([k, v]) => `${k}=${v}`).join(",");
  const { items } = await store.list(RESOURCES.pods, { namespace, labelSelector: selector });
  const alive = items.filter((pod) => pod.metadata.deletionTimestamp === undefined);
  const mine = alive.filter((pod) => pod.metadata.labels?.["pod-template-hash"] === hash);
  for (const pod of [...alive.filter((one) => !mine.includes(one)), ...mine.slice(spec.replicas)]) {
    await store.delete(refOf(RESOURCES.pods, pod), { gracePeriodSeconds: 0 });
  }
  for (let i = mine.length; i < spec.replicas; i++) {
    await store.create(RESOURCES.pods, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: "",
        generateName: `${name}-`,
        namespace,
        labels,
        ownerReferences: [ownerOf(replica)],
      },
      spec: structuredClone(spec.template.spec),
    });
  }
  const ready =
    mine.slice(0, spec.replicas).filter((pod) => pod["status"]?.phase === "Running").length;
  const available = ready === spec.replicas;
  await store.update(ref, (current) => ({
    ...current,
    status: {
      observedGeneration: deployment.metadata.generation,
      replicas: Math.min(mine.length, spec.replicas),
      updatedReplicas: Math.min(mine.length, spec.replicas),
      readyReplicas: ready,
      availableReplicas: ready,
      conditions: [{ type: "Available", status: available ? "True" : "False", reason: "Test" }],
    },
  }), { subresource: "status" });
}

function ownerOf(
  { apiVersion, kind, metadata }: KubeObject,
): NonNullable<KubeObject["metadata"]["ownerReferences"]>[0] {
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? "", controller: true };
}

async function ensure(
  store: LocalStore,
  resource: ResourceDef,
  object: KubeObject,
): Promise<KubeObject> {
  try {
    return await store.create(resource, object);
  } catch (error) {
    if (!isAppError(error, "AlreadyExists")) throw error;
    return await store.get(refOf(resource, object));
  }
}

async function hashOf(template: unknown): Promise<string> {
  const data = new TextEncoder().encode(JSON.stringify(template));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex().slice(0, 9);
}
