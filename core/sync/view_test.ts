import assert from "node:assert/strict";
import { type KubeObject, type ResourceDef, RESOURCES } from "../api/mod.ts";
import { seededRandom, silentLogger, systemClock } from "../base/mod.ts";
import { Views } from "../control/mod.ts";
import { openSqliteStore, type SqliteStore } from "../store/mod.ts";
import { ENDPOINTS_LABEL, HubView, type NodeView } from "./mod.ts";

/** A view on a store in memory; `until` waits for what a node may see. */
async function inView(
  body: (place: {
    readonly store: SqliteStore;
    readonly node: NodeView;
    /** How often a mirror of the node was lost. */
    lost(): number;
    until(key: string, there: boolean): Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  using store = openSqliteStore({ path: ":memory:", clock: systemClock });
  const stop = new AbortController();
  const common = { clock: systemClock, random: seededRandom(1), log: silentLogger };
  const views = new Views({ store, ...common });
  using view = new HubView({ views, ...common });
  const running = views.run(stop.signal);
  await view.synced;
  const waiters = new Set<() => void>();
  let lost = 0;
  using node = view.attach("n1", {
    changed: () => {
      for (const look of [...waiters]) look();
    },
    overruled: (_key, version) => void (version ?? lost++),
  });
  const until = (key: string, there: boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if ((node.object(key) !== undefined) !== there) return;
        waiters.delete(look);
        resolve();
      };
      waiters.add(look);
      look();
    });
  try {
    await body({ store, node, until, lost: () => lost });
  } finally {
    stop.abort();
    await running;
  }
}

function put(store: SqliteStore, resource: ResourceDef, object: Partial<KubeObject>): void {
  store.transact((tx) => tx.put(resource, object as KubeObject));
}

function service(name: string, clusterIP?: string): Partial<KubeObject> {
  const metadata = { name, namespace: "a", uid: name };
  return { metadata, spec: clusterIP === undefined ? {} : { clusterIP } };
}

Deno.test("HubView shows a Service to the nodes of its namespace once it has an address", () =>
  inView(async ({ store, node, until }) => {
    put(store, RESOURCES.services, service("web"));
    put(store, RESOURCES.pods, {
      metadata: { name: "p", namespace: "a", uid: "p" },
      spec: { nodeName: "n1", containers: [] },
    });
    await until("pods/a/p", true);
    assert.equal(node.has("services/a/web"), false);
    put(store, RESOURCES.services, service("web", "10.96.0.2"));
    await until("services/a/web", true);
    put(store, RESOURCES.services, { ...service("web", "10.96.0.2"), status: { seen: true } });
    store.transact((tx) => tx.purge({ resource: RESOURCES.pods, namespace: "a", name: "p" }));
    await until("services/a/web", false);
    assert.equal(node.has("services/a/web"), false);
  }));

Deno.test("HubView shows endpoints of the Services that ask for it, to nodes with pods beside them", () =>
  inView(async ({ store, node, until }) => {
    const slice = (name: string, labels: Record<string, string>): Partial<KubeObject> => ({
      metadata: { name, namespace: name === "far" ? "b" : "a", uid: name, labels },
      addressType: "IPv4",
      endpoints: [],
      ports: [],
    });
    const { endpointslices } = RESOURCES;
    const asked = { [ENDPOINTS_LABEL]: "" };
    put(store, endpointslices, slice("web", asked));
    put(store, endpointslices, slice("quiet", {}));
    put(store, endpointslices, slice("far", asked));
    const key = (name: string): string => `endpointslices.discovery.k8s.io/a/${name}`;
    assert.equal(node.has(key("web")), false);
    put(store, RESOURCES.pods, {
      metadata: { name: "p", namespace: "a", uid: "p" },
      spec: { nodeName: "n1", containers: [] },
    });
    await until(key("web"), true);
    const seen = [...node.keys()].filter((one) => one.startsWith("endpointslices"));
    assert.deepEqual(seen, [key("web")]);
    put(store, endpointslices, slice("quiet", asked));
    await until(key("quiet"), true);
    put(store, endpointslices, slice("web", {}));
    await until(key("web"), false);
    assert.equal(node.has(key("web")), false);
  }));

Deno.test("HubView shows the RuntimeClass that a pod names", () =>
  inView(async ({ store, until }) => {
    put(store, RESOURCES.pods, {
      metadata: { name: "p", namespace: "a", uid: "p" },
      spec: { nodeName: "n1", containers: [], runtimeClassName: "kata" },
    });
    await until("pods/a/p", true);
    put(store, RESOURCES.runtimeclasses, {
      metadata: { name: "kata", uid: "kata" },
      handler: "kata-qemu",
    });
    await until("runtimeclasses.node.k8s.io//kata", true);
  }));

Deno.test("HubView tells a node that the mirror of its pod is being deleted, and that it is gone", () =>
  inView(async ({ store, until, lost }) => {
    const annotations = { "kubernetes.io/config.mirror": "m" };
    const metadata = { name: "m", namespace: "a", uid: "m", annotations };
    const spec = { nodeName: "n1", containers: [] };
    put(store, RESOURCES.pods, { metadata, spec });
    put(store, RESOURCES.pods, { metadata, spec, status: { phase: "Running" } });
    put(store, RESOURCES.pods, { metadata: { name: "p", namespace: "a", uid: "p" }, spec });
    await until("pods/a/p", true);
    assert.equal(lost(), 0);
    const deletionTimestamp = "2026-01-01T00:00:00Z";
    put(store, RESOURCES.pods, { metadata: { ...metadata, deletionTimestamp }, spec });
    for (const name of ["m", "p"]) {
      store.transact((tx) => tx.purge({ resource: RESOURCES.pods, namespace: "a", name }));
    }
    await until("pods/a/p", false);
    assert.equal(lost(), 2);
  }));
