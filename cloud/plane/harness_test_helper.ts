import {
  type KubeObject,
  type Node,
  type Pod,
  type PodTemplate,
  RESOURCES,
  setDefaults,
} from "../../core/api/mod.ts";
import type { ObjectRef, ResourceDef } from "../../core/api/mod.ts";
import {
  isAppError,
  type Ms,
  seededRandom,
  silentLogger,
  Supervisor,
  systemClock,
  toTime,
} from "../../core/base/mod.ts";
import { Views } from "../../core/control/mod.ts";
import { openSqliteStore, type Store } from "../../core/store/mod.ts";
import { until } from "../until_test_helper.ts";
import { createPlane, type PlaneOptions } from "./mod.ts";

/** A plane over a real store with nodes that a fake kubelet serves. For tests. */
export interface Harness extends AsyncDisposable {
  readonly store: Store;
  create<T extends KubeObject>(resource: ResourceDef, object: Partial<T> & object): Promise<T>;
  list<T extends KubeObject>(resource: ResourceDef, namespace?: string): Promise<T[]>;
  get<T extends KubeObject>(resource: ResourceDef, name: string, namespace?: string): Promise<T>;
  addNode(name: string, more?: Partial<Node>): Promise<void>;
  /** Pods for which this says `false` stay not ready. */
  healthy: (pod: Pod) => boolean;
  /** Nodes whose kubelet does nothing. */
  readonly deaf: Set<string>;
  /** Stops the plane and starts it anew over the same store. */
  restart(): Promise<void>;
}

/** Starts a plane. `kubelet: false` leaves pods as they are bound. */
export async function startPlane(
  options: {
    readonly seed?: number;
    readonly nodes?: readonly string[];
    readonly beside?: NonNullable<PlaneOptions["beside"]>;
  } = {},
): Promise<Harness> {
  const store = openSqliteStore({
    path: ":memory:",
    clock: systemClock,
    checkNamespaces: true,
    random: seededRandom(options.seed ?? 1),
  });
  const kubelet = new AbortController();
  const harness: Partial<Harness> & { healthy: (pod: Pod) => boolean } = { healthy: () => true };
  const deaf = new Set<string>();
  let stop: () => Promise<void> = async () => {};
  const start = async (): Promise<void> => {
    const plane = new AbortController();
    const parts = {
      store,
      clock: systemClock,
      random: seededRandom(options.seed ?? 1),
      log: silentLogger,
    };
    const supervisor = new Supervisor(parts);
    const { beside } = options;
    const views = new Views(parts);
    const services = createPlane({ ...parts, views, ...(beside ? { beside } : {}) });
    const running = supervisor.run([views.service("views"), ...services], plane.signal);
    stop = async () => {
      plane.abort();
      await running;
    };
    await until(() => supervisor.ready);
  };
  await start();
  const serving = runKubelet(store, {
    signal: kubelet.signal,
    healthy: (pod) => harness.healthy(pod) && !deaf.has(pod.spec.nodeName ?? ""),
    deaf,
  });
  const full: Harness = Object.assign(harness, {
    store,
    deaf,
    create: async <T extends KubeObject>(resource: ResourceDef, object: object) => {
      const copy = structuredClone(object) as KubeObject;
      setDefaults(resource, copy);
      return await store.create(resource, copy) as T;
    },
    list: async <T extends KubeObject>(resource: ResourceDef, namespace?: string) =>
      [
        ...(await store.list(resource, namespace === undefined ? {} : { namespace })).items,
      ] as T[],
    get: async <T extends KubeObject>(
      resource: ResourceDef,
      name: string,
      namespace = "default",
    ) => await store.get({ resource, name, ...(resource.namespaced ? { namespace } : {}) }) as T,
    addNode: async (name: string, more: Partial<Node> = {}) => {
      await store.create(RESOURCES.nodes, readyNode(name, more));
      const { status } = readyNode(name, more);
      await store.update({ resource: RESOURCES.nodes, name }, (node) => ({ ...node, status }), {
        subresource: "status",
      });
    },
    restart: async () => {
      await stop();
      await start();
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      kubelet.abort();
      await serving;
      store[Symbol.dispose]();
    },
  });
  for (const node of options.nodes ?? []) await full.addNode(node);
  return full;
}

/** A node that is ready and has room for 110 pods, 4 cores and 8 GiB. */
export function readyNode(name: string, more: Partial<Node> = {}): Node {
  const now = toTime(0 as Ms);
  return {
    apiVersion: "v1",
    kind: "Node",
    ...more,
    metadata: { name, labels: { "kubernetes.io/hostname": name }, ...more.metadata },
    status: {
      conditions: [{ type: "Ready", status: "True", lastTransitionTime: now }],
      allocatable: { cpu: "4", memory: "8Gi", pods: "110" },
      ...more.status,
    },
  };
}

let address = 0;

/** Runs and stops bound pods at once, as an agent with a very fast runtime would. */
async function runKubelet(
  store: Store,
  options: { signal: AbortSignal; healthy: (pod: Pod) => boolean; deaf: ReadonlySet<string> },
): Promise<void> {
  using watch = await store.watch(RESOURCES.pods, { buffer: 100_000 });
  options.signal.addEventListener("abort", () => watch.abort(), { once: true });
  for await (const event of watch) {
    if (event.type !== "ADDED" && event.type !== "MODIFIED") continue;
    const pod = event.object as Pod;
    if (!pod.spec.nodeName || options.deaf.has(pod.spec.nodeName)) continue;
    const { namespace = "", name, uid = "" } = pod.metadata;
    const ref = { resource: RESOURCES.pods, namespace, name };
    try {
      if (pod.metadata.deletionTimestamp) {
        await store.delete(ref, { gracePeriodSeconds: 0, preconditions: { uid } });
      } else {
        const ready = options.healthy(pod);
        await store.update(ref, (current) => report(current as Pod, ready), {
          subresource: "status",
          preconditions: { uid },
        });
      }
    } catch (error) {
      if (!isAppError(error, "NotFound", "Conflict")) throw error;
    }
  }
}

/** The status of a running pod; the same when it says so already. */
export function report(pod: Pod, ready: boolean): Pod {
  const status = ready ? "True" : "False";
  const conditions = pod.status?.conditions ?? [];
  const before = conditions.find(({ type }) => type === "Ready");
  if (pod.status?.phase === "Running" && before?.status === status) return pod;
  if (pod.status?.phase === "Failed" || pod.status?.phase === "Succeeded") return pod;
  const lastTransitionTime = toTime(systemClock.now());
  return {
    ...pod,
    status: {
      ...pod.status,
      phase: "Running",
      podIP: pod.status?.podIP ?? `10.42.${(address >> 8) & 255}.${address++ & 255}`,
      conditions: [
        ...conditions.filter(({ type }) => type !== "Ready"),
        { type: "Ready", status, lastTransitionTime },
      ],
    },
  };
}

/** A Deployment with one container. */
export function deploymentOf(name: string, spec: Record<string, unknown> = {}): KubeObject {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: "default" },
    spec: {
      selector: { matchLabels: { app: name } },
      template: templateOf(name),
      ...spec,
    },
  };
}

/** Gives a Deployment or DaemonSet another template, with defaults as the API fills them in. */
export async function setTemplate(
  store: Store,
  ref: ObjectRef,
  template: PodTemplate,
): Promise<void> {
  await store.update(ref, (current) => {
    const next = { ...current, spec: { ...current["spec"], template: structuredClone(template) } };
    setDefaults(ref.resource, next);
    return next;
  });
}

/** A pod template with one container. */
export function templateOf(app: string, image = "example/app:1"): PodTemplate {
  return {
    metadata: { labels: { app } },
    spec: { containers: [{ name: "main", image }] },
  };
}
