/** Nodes without a machine: they are ready, and their pods run as soon as they are bound. */
import { type KubeObject, type Node, type Pod, RESOURCES } from "../../core/api/mod.ts";
import { isAppError, type Ms, seconds, sleep, systemClock, toTime } from "../../core/base/mod.ts";
import type { Store } from "../../core/store/mod.ts";

/** A cluster takes a node that is silent for 50 s for dead. */
const HEARTBEAT: Ms = seconds(10);

/** Makes a node that is ready. */
export async function addNode(store: Store, name: string): Promise<void> {
  const labels = { "kubernetes.io/hostname": name, "node-role.kubernetes.io/edge": "" };
  await store.create(RESOURCES.nodes, {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels },
  });
  await store.update({ resource: RESOURCES.nodes, name }, (current) => ({
    ...current,
    status: readyStatus(current["status"]),
  }), { subresource: "status" });
}

function readyStatus(current: Node["status"] = {}): Node["status"] {
  const amounts = { cpu: "4", memory: "4Gi", pods: "110" };
  const now = toTime(systemClock.now());
  const ready = { type: "Ready", status: "True" as const, reason: "KubeletReady" };
  return {
    ...current,
    capacity: amounts,
    allocatable: amounts,
    addresses: [{ type: "InternalIP", address: "10.0.0.7" }],
    conditions: [{ ...ready, lastHeartbeatTime: now, lastTransitionTime: now }],
    nodeInfo: { kubeletVersion: "v1.34.0-skerry", osImage: "Test OS" },
  };
}

/** Whether a pod gets ready. */
export type Healthy = (pod: Pod) => boolean;

/** Keeps nodes alive and runs their pods, until it is disposed. @param healthy all, when absent */
export function playNodes(
  store: Store,
  nodes: readonly string[],
  healthy: Healthy = (pod) => pod.metadata.annotations?.["test/crash"] !== "yes",
): AsyncDisposable {
  const stop = new AbortController();
  const { signal } = stop;
  const playing = Promise.all([
    ...nodes.map((node) => beat(store, node, signal)),
    followPods(store, healthy, signal),
  ]);
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort(new Error("the test is over"));
      await playing;
    },
  };
}

async function beat(store: Store, name: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(systemClock, HEARTBEAT, signal).catch(() => {/* the test is over */});
    if (signal.aborted) return;
    await ignoringRaces(() =>
      store.update({ resource: RESOURCES.nodes, name }, (current) => ({
        ...current,
        status: readyStatus(current["status"]),
      }), { subresource: "status" })
    );
  }
}

async function followPods(store: Store, healthy: Healthy, signal: AbortSignal): Promise<void> {
  using watch = await store.watch(RESOURCES.pods, { buffer: 10_000 });
  const stop = (): void => watch.abort();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  for await (const event of watch) {
    if (event.type !== "ADDED" && event.type !== "MODIFIED") continue;
    await ignoringRaces(() => runPod(store, event.object as Pod, healthy));
  }
}

async function runPod(store: Store, pod: Pod, healthy: Healthy): Promise<void> {
  const { name, namespace = "", uid = "", deletionTimestamp } = pod.metadata;
  const ref = { resource: RESOURCES.pods, namespace, name };
  if (pod.spec.nodeName === undefined) return;
  if (deletionTimestamp !== undefined) {
    await store.delete(ref, { gracePeriodSeconds: 0, preconditions: { uid } });
    return;
  }
  if ((pod.status?.phase ?? "Pending") !== "Pending") return;
  const ready = healthy(pod);
  await store.update(ref, (current) => ({ ...current, status: runningStatus(current, ready) }), {
    subresource: "status",
    preconditions: { uid },
  });
}

let pods = 0;

function runningStatus(pod: KubeObject, ready: boolean): unknown {
  const now = toTime(systemClock.now());
  const count = pods++;
  return {
    ...pod["status"],
    phase: "Running",
    podIP: `10.42.${(count >> 8) & 255}.${count & 255}`,
    startTime: now,
    conditions: ["Initialized", "PodScheduled", "Ready", "ContainersReady"].map((type) => ({
      type,
      status: !ready && type.includes("Ready") ? "False" : "True",
      lastTransitionTime: now,
    })),
    containerStatuses: pod["spec"].containers.map((one: { name: string; image: string }) => ({
      name: one.name,
      image: one.image,
      imageID: "",
      ready,
      restartCount: ready ? 0 : 4,
      lastState: {},
      state: ready ? { running: { startedAt: now } } : { waiting: { reason: "CrashLoopBackOff" } },
    })),
  };
}

async function ignoringRaces(act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    // Somebody else was faster; their change comes as the next event.
    if (!isAppError(error, "Conflict", "NotFound", "Invalid", "Forbidden")) throw error;
  }
}
