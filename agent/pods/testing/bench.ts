import { type Pod, type PodSpec, RESOURCES } from "../../../core/api/mod.ts";
import {
  bytes,
  type Clock,
  type Logger,
  ms,
  seconds,
  seededRandom,
  silentLogger,
  systemClock,
} from "../../../core/base/mod.ts";
import { openSqliteStore, type SqliteStore } from "../../../core/store/mod.ts";
import type { Runtime } from "../../runtimes/mod.ts";
import { PodManager } from "../manager.ts";
import { GONE_SPACE, MEMORY_SPACE } from "../options.ts";
import type { NodeVerdicts, PodConfig, PodManagerOptions } from "../options.ts";
import type { PodEvent } from "../policy/plan.ts";

/** The node of tests. */
export const TEST_NODE = "n1";

const CAPACITY = {
  cpuCapacity: 4,
  memoryCapacity: bytes(2 ** 32),
  storageCapacity: bytes(2 ** 36),
};

/** What a pod may ask of {@linkcode TEST_NODE} and of itself. */
export const TEST_FACTS = {
  nodeName: TEST_NODE,
  hostIPs: ["192.0.2.1"],
  podIPs: ["10.0.0.2"],
  ...CAPACITY,
};

/** A pod manager in a test: its store, its folders, what it reported; restartable like a process. */
export interface PodBench extends AsyncDisposable {
  readonly store: SqliteStore;
  readonly dir: string;
  readonly events: { readonly uid: string; readonly event: PodEvent }[];
  /** UIDs whose end was reported. */
  readonly gone: string[];
  readonly manager: PodManager;
  /** What `synced` answers. */
  synced: boolean;
  /** Ends the manager as a crash would, and starts another on the same store and runtime. */
  restart(): Promise<void>;
  /** Starts a manager; there is one until {@linkcode stop}. */
  start(): Promise<void>;
  /** Ends the manager. */
  stop(): Promise<void>;
  /** Ends the manager as a crash would, and makes the store forget all pods. */
  lose(): Promise<void>;
  /** Ends the manager and stops all pods, as an agent does that is to leave none running. */
  shutDown(): Promise<void>;
  /** Writes a pod as the hub's replica does, and returns it. */
  put(pod: Pod): Pod;
  /** The pod as the store has it. */
  pod(name: string): Pod | undefined;
  /** Marks a pod as deleted by the hub. */
  remove(name: string, graceSeconds?: number): void;
  /** Waits until `check` answers something; checks after every change of the store. */
  until<T>(
    what: string,
    check: () => T | undefined | false | Promise<T | undefined | false>,
  ): Promise<T>;
}

/** Longest wait of `until`. An emulated machine stands still for as long as 20 s now and then. */
const WAIT_LIMIT = seconds(120);

/** Options of {@linkcode startBench}. */
export interface BenchOptions {
  readonly connect: () => Runtime;
  readonly clock?: Clock;
  readonly config?: Partial<PodConfig>;
  readonly log?: Logger;
  readonly verdicts?: NodeVerdicts;
  readonly boundPods?: PodManagerOptions["boundPods"];
  readonly onStrays?: PodManagerOptions["onStrays"];
}

/** A pod with one container, to be changed by the test. */
export function testPod(name: string, spec: Partial<PodSpec> = {}, uid = `uid-${name}`): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", uid },
    spec: {
      nodeName: TEST_NODE,
      containers: [{ name: "main", image: "app:1", imagePullPolicy: "IfNotPresent" }],
      ...spec,
    },
  };
}

/** Starts a manager on a store of its own. */
export async function startBench(options: BenchOptions): Promise<PodBench> {
  const dir = await Deno.makeTempDir({ prefix: "skerry-pods-" });
  const clock = options.clock ?? systemClock;
  const store = openSqliteStore({ path: `${dir}/store.db`, clock });
  const bench = new Bench(dir, store, clock, options);
  await bench.start();
  return bench;
}

class Bench implements PodBench {
  readonly events: { readonly uid: string; readonly event: PodEvent }[] = [];
  readonly gone: string[] = [];
  synced = true;
  #manager: PodManager | undefined;
  #stop: AbortController | undefined;
  #runtime: Runtime | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  readonly dir: string;
  readonly store: SqliteStore;
  readonly clock: Clock;
  readonly options: BenchOptions;

  constructor(dir: string, store: SqliteStore, clock: Clock, options: BenchOptions) {
    this.dir = dir;
    this.store = store;
    this.clock = clock;
    this.options = options;
  }

  get manager(): PodManager {
    if (!this.#manager) throw new Error("the manager does not run");
    return this.#manager;
  }

  async start(): Promise<void> {
    const runtime = this.#runtime = this.options.connect();
    const stop = this.#stop = new AbortController();
    const manager = this.#manager = new PodManager({
      store: this.store,
      runtime,
      clock: this.clock,
      random: seededRandom(1),
      log: this.options.log ?? silentLogger,
      config: {
        nodeName: TEST_NODE,
        clusterDns: [],
        clusterDomain: "cluster.local",
        nodeDns: { servers: [], searches: [] },
        stateDir: `${this.dir}/state`,
        logDir: `${this.dir}/logs`,
        memoryDir: `${this.dir}/memory`,
        ...CAPACITY,
        ...this.options.config,
      },
      hostIPs: () => TEST_FACTS.hostIPs,
      synced: () => this.synced,
      boundPods: this.options.boundPods,
      onStrays: this.options.onStrays,
      ...(this.options.verdicts ? { verdicts: this.options.verdicts } : {}),
      report: {
        status: () => {},
        event: (_, pod, event) => void this.events.push({ uid: pod.metadata.uid ?? "", event }),
        gone: (tx, pod) => {
          const { uid = "", namespace = "default", name } = pod.metadata;
          this.gone.push(uid);
          tx.purge({ resource: RESOURCES.pods, namespace, name }, { uid });
        },
      },
    });
    const ready = Promise.withResolvers<void>();
    this.#ended = manager.run(stop.signal, ready.resolve).catch((error) => {
      ready.resolve();
      if (!stop.signal.aborted) throw error;
    });
    await ready.promise;
  }

  async stop(): Promise<void> {
    await this.#end();
  }

  async lose(): Promise<void> {
    await this.stop();
    this.store.transact((tx) => {
      for (const space of [MEMORY_SPACE, GONE_SPACE]) {
        for (const { key } of tx.rows(space)) tx.deleteRow(space, key);
      }
      for (const { metadata: { namespace = "", name } } of tx.list(RESOURCES.pods)) {
        tx.purge({ resource: RESOURCES.pods, namespace, name });
      }
    });
  }

  async shutDown(): Promise<void> {
    const period = seconds(10);
    await this.manager.stopAll([{ has: () => true, period }], { remove: true });
    await this.#end();
  }

  async #end(): Promise<void> {
    this.#stop?.abort(new Error("the test ends the manager"));
    await this.#ended;
    await this.#runtime?.[Symbol.asyncDispose]();
    this.#manager = undefined;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  put(pod: Pod): Pod {
    return this.store.transact((tx) => tx.put(RESOURCES.pods, structuredClone(pod))) as Pod;
  }

  pod(name: string): Pod | undefined {
    const ref = { resource: RESOURCES.pods, namespace: "default", name };
    return this.store.transact((tx) => tx.get(ref)) as Pod | undefined;
  }

  remove(name: string, graceSeconds = 30): void {
    const pod = structuredClone(this.pod(name));
    if (!pod) throw new Error(`no pod ${name}`);
    pod.metadata.deletionTimestamp = new Date(this.clock.now()).toISOString();
    pod.metadata.deletionGracePeriodSeconds = graceSeconds;
    this.put(pod);
  }

  async until<T>(
    what: string,
    check: () => T | undefined | false | Promise<T | undefined | false>,
  ): Promise<T> {
    const end = systemClock.monotonic() + WAIT_LIMIT;
    for (;;) {
      const found = await check();
      if (found) return found;
      if (systemClock.monotonic() > end) throw new Error(`waited too long: ${what}`);
      await new Promise<void>((resolve) => systemClock.timer(ms(10), resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.store[Symbol.dispose]();
    await Deno.remove(this.dir, { recursive: true });
  }
}
