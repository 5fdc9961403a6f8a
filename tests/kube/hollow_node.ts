/** Nodes without a runtime: the agent's own link, and pods that are Running as soon as they come. */
import type { KubeObject, Pod, PodStatus, ResourceDef } from "../../core/api/mod.ts";
import { RESOURCES } from "../../core/api/mod.ts";
import {
  type Clock,
  type Logger,
  type Random,
  silentLogger,
  systemClock,
  systemRandom,
  toTime,
} from "../../core/base/mod.ts";
import { type Identity, joinHub } from "../../core/join/mod.ts";
import { createWsDialer } from "../../core/link/mod.ts";
import { openSqliteStore, type SqliteStore, type Tx } from "../../core/store/mod.ts";
import type { NewIntent } from "../../core/sync/mod.ts";
import { createLink, type Link } from "../../agent/link/mod.ts";
import { tellRefused } from "../../agent/process/refused.ts";
import { EventReports } from "../../agent/process/reports.ts";

/** Options of {@linkcode HollowNode.start}. */
export interface HollowOptions {
  readonly name: string;
  /** `host:port` that is dialled. */
  readonly hub: string;
  readonly identity: Identity;
  /** Told of each pod that is seen for the first time. */
  readonly onPod?: (pod: Pod) => void;
  /** Told when the link comes up or goes down. */
  readonly onLink?: (connected: boolean) => void;
  readonly log?: Logger;
}

/** Joins a node by token; its files stay in `folder`. */
export async function joinHollow(
  options: { readonly name: string; readonly hub: string; readonly token: string; folder: string },
): Promise<Identity> {
  await Deno.mkdir(options.folder, { recursive: true });
  const signal = new AbortController().signal;
  return await joinHub({ ...options, clock: systemClock, signal });
}

/** One such node. */
export class HollowNode implements AsyncDisposable {
  readonly name: string;
  readonly #clock: Clock = systemClock;
  readonly #random: Random = systemRandom;
  readonly #stop = new AbortController();
  readonly #store: SqliteStore;
  readonly #link: Link;
  readonly #seen = new Set<string>();
  /** How often containers were restarted, by pod. */
  readonly #restarts = new Map<string, number>();
  readonly #running: Promise<unknown>[];
  readonly #options: HollowOptions;

  private constructor(options: HollowOptions) {
    this.#options = options;
    const events = new EventReports((tx, one) => this.#enqueue(tx, one), options.name, this.#clock);
    this.name = options.name;
    this.#store = openSqliteStore({ path: ":memory:", clock: this.#clock });
    const { ca, certificate, key } = options.identity;
    this.#link = createLink({
      dialer: createWsDialer({
        hub: options.hub,
        credentials: () => ({ ca, cert: certificate, key }),
        clock: this.#clock,
      }),
      store: this.#store,
      clock: this.#clock,
      random: this.#random,
      log: options.log ?? silentLogger,
      node: this.name,
      version: "hollow",
      bootId: crypto.randomUUID(),
      handlers: {
        onSynced: () => this.#reportAll(),
        onReport: () => this.#reportAll(),
        onRefused: (intent, refusal) =>
          tellRefused({ store: this.#store, events }, intent, refusal),
        onOpen: async (_header, incoming) => {
          // Whatever is asked of its kubelet: who it is.
          const stream = await incoming.accept({ status: 200, type: "text/plain" });
          const writer = stream.writable.getWriter();
          await writer.write(new TextEncoder().encode(`this is ${this.name}`));
          await writer.close();
          await stream.closed;
        },
        onState: ({ connected }) => options.onLink?.(connected),
      },
    });
    this.#store.transact((tx) => this.#reportNode(tx));
    this.#running = [
      this.#link.run(this.#stop.signal, () => {}),
      this.#followPods(),
    ];
  }

  /** Starts it; it dials by itself, for as long as it takes. */
  static start(options: HollowOptions): HollowNode {
    return new HollowNode(options);
  }

  /** The same node after its process has ended, dialling another address. */
  again(hub: string): HollowNode {
    return new HollowNode({ ...this.#options, hub });
  }

  /** Whether its link is up. */
  get connected(): boolean {
    return this.#link.state.connected;
  }

  /** The pods that it has, by UID. */
  pods(): ReadonlySet<string> {
    const pods = this.#store.transact((tx) => tx.list(RESOURCES.pods)) as Pod[];
    return new Set(pods.map(({ metadata }) => metadata.uid ?? ""));
  }

  /** What it has of a kind. */
  list(resource: ResourceDef): readonly KubeObject[] {
    return this.#store.transact((tx) => tx.list(resource));
  }

  /** Tells the name of each object of these kinds that leaves it, until the result is disposed. */
  onLeaving(resources: readonly ResourceDef[], left: (name: string) => void): Disposable {
    const watches = resources.map(async (resource) => {
      const watch = await this.#store.watch(resource, { buffer: 10_000 });
      void (async () => {
        for await (const event of watch) {
          if (event.type === "DELETED") left(event.object.metadata.name);
        }
      })();
      return watch;
    });
    const end = async (): Promise<void> => {
      for (const watch of watches) (await watch).abort();
    };
    return { [Symbol.dispose]: () => void end() };
  }

  /** Reports a pod as it stands with `changes` to its status, as an agent that is wrong would. */
  reports(uid: string, changes: Readonly<Record<string, unknown>>): void {
    this.#store.transact((tx) => {
      const pod = this.#pod(tx, uid);
      const body = { ...refOf(pod), status: { ...runningStatus(pod, this.#clock), ...changes } };
      this.#enqueue(tx, { key: `pod-status/${uid}`, kind: "pod-status", body });
    });
  }

  /** Reports that the containers of a pod were restarted so often, and an Event that says so. */
  restarted(uid: string, count: number): void {
    this.#store.transact((tx) => {
      const pod = this.#pod(tx, uid);
      const { namespace = "default", name } = pod.metadata;
      const event = {
        metadata: { namespace, name: `${name}.restarted` },
        involvedObject: { kind: "Pod", namespace, name, uid },
        reason: "Restarted",
        message: `restarted ${count} times`,
        type: "Normal",
        source: { component: "kubelet", host: this.name },
      };
      this.#reportPod(tx, pod, count);
      const key = `event/${namespace}/${event.metadata.name}`;
      this.#enqueue(tx, { key, kind: "event", body: { event } });
    });
  }

  #pod(tx: Tx, uid: string): Pod {
    const pod = (tx.list(RESOURCES.pods) as Pod[]).find(({ metadata }) => metadata.uid === uid);
    if (!pod) throw new Error(`${this.name} has no pod ${uid}`);
    return pod;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort(new Error("the node stops"));
    await Promise.allSettled(this.#running);
    this.#store[Symbol.dispose]();
  }

  #enqueue(tx: Tx, intent: NewIntent): void {
    this.#link.outbox.enqueue(tx, intent);
  }

  #reportAll(): void {
    this.#store.transact((tx) => {
      this.#reportNode(tx);
      for (const pod of tx.list(RESOURCES.pods) as Pod[]) this.#reportPod(tx, pod);
    });
  }

  #reportNode(tx: Tx): void {
    const amounts = { cpu: "4", memory: "4Gi", pods: "110" };
    const status = {
      capacity: amounts,
      allocatable: amounts,
      addresses: [{ type: "InternalIP", address: "192.0.2.1" }],
      conditions: [{ type: "Ready", status: "True", reason: "Hollow" }],
      nodeInfo: { kubeletVersion: "v1.36.0", operatingSystem: "linux", architecture: "amd64" },
    };
    const labels = { "kubernetes.io/hostname": this.name, "kubernetes.io/os": "linux" };
    const node = { metadata: { name: this.name, labels }, status };
    this.#enqueue(tx, { key: "node", kind: "node", body: { node } });
  }

  async #followPods(): Promise<void> {
    using watch = await this.#store.watch(RESOURCES.pods, { buffer: 10_000 });
    const stop = (): void => watch.abort();
    this.#stop.signal.addEventListener("abort", stop, { once: true });
    for await (const event of watch) {
      if (event.type === "ADDED" || event.type === "MODIFIED") this.#onPod(event.object);
    }
  }

  #onPod(object: KubeObject): void {
    const pod = object as Pod;
    const { uid = "" } = pod.metadata;
    if (pod.spec.nodeName !== this.name) return;
    const isNew = !this.#seen.has(uid);
    if (isNew) {
      this.#seen.add(uid);
      this.#options.onPod?.(pod);
    }
    if (pod.metadata.deletionTimestamp) {
      this.#store.transact((tx) => {
        const body = refOf(pod);
        this.#enqueue(tx, { key: `pod-gone/${uid}`, kind: "pod-gone", body });
      });
    } else if (isNew) this.#store.transact((tx) => this.#reportPod(tx, pod));
  }

  #reportPod(tx: Tx, pod: Pod, restarts?: number): void {
    const { uid = "" } = pod.metadata;
    if (restarts !== undefined) this.#restarts.set(uid, restarts);
    const status = runningStatus(pod, this.#clock, this.#restarts.get(uid));
    const body = { ...refOf(pod), status };
    this.#enqueue(tx, { key: `pod-status/${uid}`, kind: "pod-status", body });
  }
}

function refOf({ metadata }: Pod): { namespace: string; name: string; uid: string } {
  const { namespace = "default", name, uid = "" } = metadata;
  return { namespace, name, uid };
}

/** As a kubelet would say it of a pod whose containers run since it was made. */
function runningStatus({ metadata, spec }: Pod, clock: Clock, restartCount = 0): PodStatus {
  const startedAt = metadata.creationTimestamp ?? toTime(clock.now());
  const types = ["Initialized", "Ready", "ContainersReady"] as const;
  return {
    phase: "Running",
    startTime: startedAt,
    conditions: types.map((type) => ({ type, status: "True", lastTransitionTime: startedAt })),
    containerStatuses: spec.containers.map(({ name, image = "" }) => ({
      name,
      image,
      imageID: "",
      containerID: `hollow://${metadata.uid}`,
      ready: true,
      started: true,
      restartCount,
      state: { running: { startedAt } },
      lastState: {},
    })),
  } as PodStatus;
}
