/** Makes a cluster ready for tests that are guests there, and takes back what it added. */
import { parseAllDocuments } from "yaml";
import { AppError, isAppError, minutes, ms, sleep, systemClock } from "../../core/base/mod.ts";
import {
  customKind,
  groupResource,
  type KubeObject,
  type Node,
  RESOURCE_LIST,
  RESOURCES,
} from "../../core/api/mod.ts";
import type { KubeClient } from "../../core/kube/mod.ts";
import { SYSTEM_NAMESPACE } from "../../core/tokens/mod.ts";
import { openCluster } from "./open.ts";

const CRDS = new URL("../../charts/skerry/crds/", import.meta.url);
const CRD_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
/** Says that a namespace was made for tests. */
const OWN = "skerry.dev/tests";
/** A namespace that ends takes some five seconds; one of a slow machine may take its time. */
const LIMIT = minutes(3);

/**
 * Makes sure that the cluster has Skerry's CRDs and namespace. What was not there before goes again
 * at the end. Tests place pods anywhere and work in `default`, so a cluster that others use is
 * refused before anything is changed.
 *
 * @throws {AppError} Forbidden, Conflict: what stands in the way, and what to do
 */
export async function prepareCluster(kubeconfig: string): Promise<AsyncDisposable> {
  await using made = new AsyncDisposableStack();
  const { client } = made.use(await openCluster(kubeconfig));
  await assertRights(client, kubeconfig);
  await assertUnused(kubeconfig);
  if (await makeNamespace(client)) {
    made.defer(() => remove(client, `/api/v1/namespaces/${SYSTEM_NAMESPACE}`));
  }
  for (const crd of await readCrds()) {
    const { name } = crd.metadata;
    const path = `${CRD_PATH}/${name}`;
    if (await findAfterEnd(client, path)) continue;
    await client.call({ method: "POST", path: CRD_PATH, body: crd });
    made.defer(() => remove(client, path));
  }
  await untilServed(client);
  return made.move();
}

/** Waits until an API server serves Skerry's kinds, which it does a moment after their CRDs came. */
export async function untilServed(client: KubeClient): Promise<void> {
  await until(`${client.server} serves Skerry's kinds`, () => servesAll(client));
}

async function readCrds(): Promise<KubeObject[]> {
  const crds: KubeObject[] = [];
  for await (const { name } of Deno.readDir(CRDS)) {
    const text = await Deno.readTextFile(new URL(name, CRDS));
    crds.push(...parseAllDocuments(text).map((document) => document.toJS()).filter(Boolean));
  }
  return crds;
}

async function assertRights(client: KubeClient, kubeconfig: string): Promise<void> {
  const { status } = await client.call({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { verb: "*", group: "*", resource: "*" } },
    },
  });
  if (status?.allowed === true) return;
  throw new AppError(
    "Forbidden",
    `The user of ${kubeconfig} may not do everything at ${client.server}: ` +
      "the tests need a cluster-admin of a cluster that is made for them",
  );
}

async function assertUnused(kubeconfig: string): Promise<void> {
  await using cluster = await openCluster(kubeconfig);
  const { store, client } = cluster;
  const inUse = (what: string): AppError =>
    new AppError(
      "Conflict",
      `The tests cannot run at ${client.server} (${kubeconfig}): ${what}. ` +
        "They need a cluster that nobody else uses, e.g. of: deno task kube up",
    );
  const nodes = (await store.list(RESOURCES.nodes)).items as Node[];
  const open = nodes.find(({ spec }) => !spec?.unschedulable && !spec?.taints?.length);
  if (open) throw inUse(`node ${open.metadata.name} takes pods (kubectl cordon keeps them away)`);
  const ours = new Set((await readCrds()).map(({ metadata }) => metadata.name));
  const there = new Set(
    (await crdsOf(client)).filter(isEstablished).map((one) => one.metadata.name),
  );
  for (const resource of RESOURCE_LIST) {
    // Events of nodes are there, whoever uses a cluster.
    if (!resource.namespaced || resource === RESOURCES.events) continue;
    const name = groupResource(resource);
    if (ours.has(name) && !there.has(name)) continue;
    const { items } = await store.list(resource, { namespace: "default" });
    const foreign = items.find((object) => !isStandard(object));
    if (!foreign) continue;
    throw inUse(`${resource.kind} ${foreign.metadata.name} is in the namespace default`);
  }
}

/** Whether the cluster makes this object itself in every namespace, or in `default`. */
export function isStandard({ kind, metadata: { name, labels } }: KubeObject): boolean {
  switch (kind) {
    case "ConfigMap":
      return name === "kube-root-ca.crt";
    case "ServiceAccount":
      return name === "default";
    case "Service":
      return labels?.["provider"] === "kubernetes" && name === "kubernetes";
    case "EndpointSlice":
      return name === "kubernetes";
    default:
      return false;
  }
}

/** Returns whether it was made now. */
async function makeNamespace(client: KubeClient): Promise<boolean> {
  const path = `/api/v1/namespaces/${SYSTEM_NAMESPACE}`;
  const there = await findAfterEnd(client, path);
  if (there?.metadata.labels?.[OWN]) return false;
  if (there) {
    throw new AppError(
      "Conflict",
      `The tests cannot run at ${client.server}: namespace ${SYSTEM_NAMESPACE} is there, so Skerry ` +
        "is installed. They need a cluster without it",
    );
  }
  const metadata = { name: SYSTEM_NAMESPACE, labels: { [OWN]: "true" } };
  const body = { apiVersion: "v1", kind: "Namespace", metadata };
  await client.call({ method: "POST", path: "/api/v1/namespaces", body });
  return true;
}

async function servesAll(client: KubeClient): Promise<boolean> {
  const established = (await crdsOf(client)).filter(isEstablished);
  const names = new Set(established.map(({ metadata }) => metadata.name));
  if (!(await readCrds()).every(({ metadata }) => names.has(metadata.name))) return false;
  // Clients learn of kinds by these lists, which come last.
  for (const { group, version, plural } of RESOURCE_LIST.filter(customKind)) {
    const list = await find(client, `/apis/${group}/${version}`);
    const resources = (list?.["resources"] ?? []) as { name: string }[];
    if (!resources.some(({ name }) => name === plural)) return false;
  }
  return true;
}

async function crdsOf(client: KubeClient): Promise<KubeObject[]> {
  return (await client.call({ method: "GET", path: CRD_PATH })).items;
}

/** Whether the API server serves the kind of this CustomResourceDefinition. */
export function isEstablished({ metadata, ...crd }: KubeObject): boolean {
  const conditions: { type: string; status: string }[] = crd["status"]?.conditions ?? [];
  return metadata.deletionTimestamp === undefined &&
    conditions.some(({ type, status }) => type === "Established" && status === "True");
}

async function find(client: KubeClient, path: string): Promise<KubeObject | undefined> {
  return await client.call({ method: "GET", path }).catch((error) => {
    if (isAppError(error, "NotFound")) return undefined;
    throw error;
  });
}

/** Finds an object; one that a run before has deleted is waited for. */
async function findAfterEnd(client: KubeClient, path: string): Promise<KubeObject | undefined> {
  let found: KubeObject | undefined;
  await until(`what a run before has deleted is gone: ${path}`, async () => {
    found = await find(client, path);
    return found?.metadata.deletionTimestamp === undefined;
  });
  return found;
}

async function remove(client: KubeClient, path: string): Promise<void> {
  try {
    await client.call({ method: "DELETE", path });
  } catch (error) {
    if (!isAppError(error, "NotFound")) throw error;
  }
}

/** @throws {AppError} Timeout */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = systemClock.monotonic() + LIMIT;
  while (!await holds()) {
    if (systemClock.monotonic() > end) {
      throw new AppError("Timeout", `not within three minutes: ${what}`);
    }
    await sleep(systemClock, ms(100));
  }
}
