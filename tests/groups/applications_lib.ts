/** Applications of a cluster, a hub that acts on them, and what it writes. */
import assert from "node:assert/strict";
import { type HubAt, Site } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { readAudit } from "../kube/rights.ts";
import { type Stage, stageOf } from "../kube/stage.ts";

/** The group of {@linkcode CRD}. */
export const GROUP = "plants.example.com";
const RBAC = "rbac.authorization.k8s.io";

type Api = Awaited<ReturnType<Site["client"]>>;
/** An object of an application, as its author writes it. */
export type Manifest = Readonly<Record<string, unknown>>;

/** A hub on a cluster that acts on applications, and what is asked of it. */
export class Rig {
  readonly site: Site;
  readonly stage: Stage;
  readonly api: Api;
  hub: HubAt;

  private constructor(site: Site, stage: Stage, hub: HubAt, api: Api) {
    this.site = site;
    this.stage = stage;
    this.hub = hub;
    this.api = api;
  }

  /** Starts it, with more objects on the cluster. */
  static async start(site: Site, more: readonly unknown[] = []): Promise<Rig> {
    const stage = await stageOf(site, ["--set=edgeApplications.enabled=true"], []);
    for (const object of more) await stage.cluster.apply(object);
    if (more.includes(CRD)) await untilServed(stage, ...CRD.spec.versions.map(({ name }) => name));
    const hub = await stage.hub();
    return new Rig(site, stage, hub, await site.client(hub.kubeconfig));
  }

  /** Ends the hub and starts another. */
  async anotherHub(): Promise<void> {
    await this.hub.process.kill();
    this.hub = await this.stage.hub();
  }

  /** Applies an application for the group `plant`, with a ConfigMap as its last object. */
  async apply(name: string, ...manifests: readonly Manifest[]): Promise<void> {
    const probe = { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { a: "b" } };
    await this.site.apply(this.hub.kubeconfig, {
      apiVersion: "apps.kubeedge.io/v1alpha1",
      kind: "EdgeApplication",
      metadata: { name, namespace: "default" },
      spec: {
        workloadTemplate: { manifests: [...manifests, probe] },
        workloadScope: { targetNodeGroups: [{ name: "plant" }] },
      },
    });
  }

  /** Has all objects of an application looked at: the last of them is made anew then. */
  async reconcile(name: string): Promise<void> {
    const uid = (): Promise<string> => this.get("configmap", name, ".metadata.uid");
    const before = await until("the last object is there", uid, 120);
    await this.stage.kubectl("delete", "configmap", name);
    await until("it is made anew", async () => ![before, ""].includes(await uid()), 120);
  }

  /** A field of an object, by its JSONPath; empty when there is none. */
  async get(kind: string, name: string, field: string): Promise<string> {
    const args = ["get", kind, name, "--ignore-not-found", `-o=jsonpath={${field}}`];
    return await this.stage.kubectl(...args);
  }

  /** The status of an application. */
  // deno-lint-ignore no-explicit-any -- what a test reads of it
  async status(name: string): Promise<any> {
    const path = `/apis/apps.kubeedge.io/v1alpha1/namespaces/default/edgeapplications/${name}`;
    return (await this.api.request("GET", path)).status ?? {};
  }

  /**
   * Waits until an application, as it is now, is available. What a server has said of its kinds is
   * good for 20 s, and what is stuck is tried again after 30 s.
   */
  async available(name: string): Promise<void> {
    const path = `/apis/apps.kubeedge.io/v1alpha1/namespaces/default/edgeapplications/${name}`;
    await until(`${name} is available`, async () => {
      const { metadata, status } = await this.api.request("GET", path);
      const [condition] = status?.conditions ?? [];
      assert.equal(condition?.status, "True", condition?.message);
      return condition.observedGeneration === metadata.generation;
    }, 120);
  }

  /** `plural name` of what the hub wrote, once for every time that the server took it. */
  async writes(verb: "create" | "patch"): Promise<string[]> {
    const all = await readAudit(`${this.stage.cluster.parts.dir}/audit.log`);
    return all.filter(({ verb: done, objectRef, responseStatus }) =>
      done === verb && (responseStatus?.code ?? 0) < 300 && objectRef?.namespace === "default" &&
      objectRef.subresource === undefined
    ).map(({ objectRef }) => `${objectRef?.resource} ${objectRef?.name}`).sort();
  }
}

const version = (name: string, storage: boolean) => ({
  name,
  served: true,
  storage,
  schema: {
    openAPIV3Schema: {
      type: "object",
      properties: { spec: { type: "object", properties: { open: { type: "boolean" } } } },
    },
  },
});
/** A kind in two versions. */
export const CRD = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `valves.${GROUP}` },
  spec: {
    group: GROUP,
    scope: "Namespaced",
    names: { plural: "valves", singular: "valve", kind: "Valve", listKind: "ValveList" },
    versions: [version("v1beta1", false), version("v1", true)],
  },
};
/** Waits until the API server says of {@linkcode CRD} that it has these versions, and no others. */
export async function untilServed(
  { cluster }: Stage,
  ...versions: readonly string[]
): Promise<void> {
  await until(`${versions.join()} of valves is served`, async () => {
    const { groups } = await cluster.client.call({ method: "GET", path: "/apis" });
    const found = groups.find(({ name }: { name: string }) => name === GROUP)?.versions ?? [];
    const names: string[] = found.map(({ version }: { version: string }) => version);
    return names.sort().join() === versions.toSorted().join();
  });
}

const verbs = ["get", "list", "watch", "create", "patch", "delete"];
/** What somebody gives the hub so that applications may hold more kinds. */
export const RIGHT = [
  {
    apiVersion: `${RBAC}/v1`,
    kind: "ClusterRole",
    metadata: { name: "hub-more" },
    rules: [
      { apiGroups: [GROUP], resources: ["valves"], verbs },
      { apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], verbs },
      { apiGroups: [""], resources: ["persistentvolumeclaims"], verbs },
    ],
  },
  {
    apiVersion: `${RBAC}/v1`,
    kind: "ClusterRoleBinding",
    metadata: { name: "hub-more" },
    roleRef: { apiGroup: RBAC, kind: "ClusterRole", name: "hub-more" },
    subjects: [{ kind: "ServiceAccount", name: "skerry-hub", namespace: "skerry-system" }],
  },
];

/** An object of {@linkcode CRD}. */
export const valve = (name: string, version: string): Manifest => ({
  apiVersion: `${GROUP}/${version}`,
  kind: "Valve",
  metadata: { name },
  spec: { open: true },
});
