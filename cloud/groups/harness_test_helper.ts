import {
  type EdgeApplication,
  type KubeObject,
  type NodeGroup,
  type ResourceDef,
  RESOURCES,
  setDefaults,
} from "../../core/api/mod.ts";
import { seededRandom, silentLogger, Supervisor, systemClock } from "../../core/base/mod.ts";
import { Views } from "../../core/control/mod.ts";
import { findObject, openSqliteStore, type Store } from "../../core/store/mod.ts";
import { createPlane } from "../plane/mod.ts";
import { until } from "../until_test_helper.ts";
import { createGroups, type GroupsContext } from "./mod.ts";

/** A kind that Skerry does not know. */
export const VALVES: ResourceDef = {
  group: "plants.example.com",
  version: "v1",
  plural: "valves",
  singular: "valve",
  kind: "Valve",
  shortNames: [],
  categories: [],
  namespaced: true,
  hasStatus: true,
};

/** A hub's plane with this room's controllers, over a real store. */
export interface Harness {
  readonly store: Store;
  create<T extends KubeObject>(resource: ResourceDef, object: KubeObject): Promise<T>;
  /** `undefined` when there is none. */
  find<T extends KubeObject>(resource: ResourceDef, name: string): Promise<T | undefined>;
  change(
    resource: ResourceDef,
    name: string,
    change: (object: KubeObject) => KubeObject,
    subresource?: "status",
  ): Promise<void>;
  remove(resource: ResourceDef, name: string): Promise<void>;
  addNode(name: string, labels?: Record<string, string>): Promise<void>;
  labelsOf(node: string): Promise<Record<string, string>>;
}

/** Runs `body` on a new plane. */
export async function withGroups(
  body: (harness: Harness) => Promise<void>,
  options: Pick<GroupsContext, "applications" | "kinds"> = {},
): Promise<void> {
  const parts = { clock: systemClock, random: seededRandom(1), log: silentLogger };
  const store = openSqliteStore({ path: ":memory:", checkNamespaces: true, ...parts });
  const stop = new AbortController();
  const supervisor = new Supervisor(parts);
  const views = new Views({ ...parts, store });
  const services = createPlane({
    ...{ ...parts, store, views },
    beside: (context) => createGroups({ ...context, ...options }),
  });
  const running = supervisor.run([views.service("views"), ...services], stop.signal);
  try {
    await until(() => supervisor.ready);
    await body(harnessOf(store));
  } finally {
    stop.abort();
    await running;
    store[Symbol.dispose]();
  }
}

function harnessOf(store: Store): Harness {
  const refOf = (resource: ResourceDef, name: string) => ({
    resource,
    name,
    ...(resource.namespaced ? { namespace: "default" } : {}),
  });
  return {
    store,
    async create<T extends KubeObject>(resource: ResourceDef, object: KubeObject) {
      const copy = structuredClone(object);
      setDefaults(resource, copy);
      return await store.create(resource, copy) as T;
    },
    async find<T extends KubeObject>(resource: ResourceDef, name: string) {
      return await findObject(store, refOf(resource, name)) as T | undefined;
    },
    async change(resource, name, change, subresource) {
      await store.update(refOf(resource, name), change, subresource ? { subresource } : {});
    },
    async remove(resource, name) {
      await store.delete(refOf(resource, name));
    },
    async addNode(name, labels = {}) {
      await store.create(RESOURCES.nodes, {
        apiVersion: "v1",
        kind: "Node",
        metadata: { name, labels },
      });
      await store.update({ resource: RESOURCES.nodes, name }, (node) => ({
        ...node,
        status: {
          conditions: [{ type: "Ready", status: "True" }],
          allocatable: { cpu: "4", memory: "8Gi", pods: "110" },
        },
      }), { subresource: "status" });
    },
    async labelsOf(node) {
      return (await store.get({ resource: RESOURCES.nodes, name: node })).metadata.labels ?? {};
    },
  };
}

/** A kind that only an API server knows. */
export const JOBS: ResourceDef = {
  group: "batch",
  version: "v1",
  plural: "jobs",
  singular: "job",
  kind: "Job",
  shortNames: [],
  categories: [],
  namespaced: true,
  hasStatus: true,
};

/** A Job manifest. */
export function job(spec: Record<string, unknown> = {}, name = "once"): KubeObject {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name },
    spec: {
      template: {
        spec: { restartPolicy: "Never", containers: [{ name: "main", image: "tool:1" }] },
      },
      ...spec,
    },
  };
}

/** A NodeGroup. */
export function nodeGroup(name: string, spec: NodeGroup["spec"]): NodeGroup {
  return {
    apiVersion: "apps.kubeedge.io/v1alpha1",
    kind: "NodeGroup",
    metadata: { name },
    spec,
  };
}

/** An EdgeApplication in `default`. */
export function application(
  spec: EdgeApplication["spec"],
  name = "app",
): EdgeApplication {
  return {
    apiVersion: "apps.kubeedge.io/v1alpha1",
    kind: "EdgeApplication",
    metadata: { name, namespace: "default" },
    spec,
  };
}

/** A Deployment manifest with one container. */
export function deployment(name = "web"): Record<string, unknown> & KubeObject {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, labels: { app: name } },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          containers: [{
            name: "main",
            image: "registry.example/web:1.0",
            env: [{ name: "MODE", value: "a" }],
          }],
        },
      },
    },
  };
}
