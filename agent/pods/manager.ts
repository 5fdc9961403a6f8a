import { isFinalPhase, type KubeObject, type Pod, RESOURCES } from "../../core/api/mod.ts";
import {
  AppError,
  errorText,
  isAppError,
  ms,
  seconds,
  type Service,
  sleep,
  WorkQueue,
} from "../../core/base/mod.ts";
import type { RuntimeInfo } from "../runtimes/mod.ts";
import type { DeviceKeeper } from "./device_keeper.ts";
import { followKind } from "./follow.ts";
import { Listeners } from "./listeners.ts";
import type { RunningLog } from "./logs/rotate.ts";
import { runningLogs } from "./logs/running_logs.ts";
import { Observer } from "./observer.ts";
import type { PodManagerOptions } from "./options.ts";
import { tellOtherNodes } from "./other_nodes.ts";
import { PodPaths } from "./paths.ts";
import { type LogRequest, PodDoors, type PodRequest } from "./pod_doors.ts";
import { PodIndex } from "./pod_index.ts";
import type { Shutdown } from "./policy/plan.ts";
import { makePodParts } from "./pod_parts.ts";
import type { ProbeCount } from "./probes/tally.ts";
import type { Prober } from "./probes/prober.ts";
import { PodRecords } from "./records.ts";
import { pruneTokens } from "./pod_tokens.ts";
import { type ShutdownGroup, stopAll } from "./stop_all.ts";
import { type Stray, Strays } from "./strays.ts";
import type { StreamTarget } from "./stream_target.ts";
import { sweepPodFolders } from "./sweep.ts";
import { sweepMemoryDir } from "./volumes/memory_dir.ts";
import type { PodWorker } from "./worker.ts";

/** Back-off of a pod whose step could not be done at all, e.g. while the runtime is away. */
const BACKOFF = { base: ms(200), cap: seconds(10) };
/** The runtime's hints are read again after this when their stream failed. */
const EVENTS_RETRY = seconds(1);

/**
 * Runs the pods of this node: what a kubelet does. Watches the store for pods and for what they
 * read, the runtime for what happened, and works on each pod by its UID.
 */
export class PodManager implements Service {
  readonly name = "pods";
  readonly onFailure = "restart";
  readonly #options: PodManagerOptions;
  readonly #records: PodRecords;
  readonly #paths: PodPaths;
  readonly #listeners = new Listeners();
  readonly #doors: PodDoors;
  #queue: WorkQueue | undefined;
  #index = new PodIndex();
  /** What becomes of each pod, once the node goes down. */
  #shutdown: ((pod: Pod) => Shutdown) | undefined;
  #observer: Observer | undefined;
  #strays: Strays | undefined;
  #devices: DeviceKeeper | undefined;
  #prober: Prober | undefined;
  /** Of pods that run, as of the last write. */
  #addresses: ReadonlySet<string> | undefined;
  /** The container runtime's name, once it was asked. */
  #runtime: RuntimeInfo | undefined;

  constructor(options: PodManagerOptions) {
    this.#options = options;
    const { stateDir, logDir = "/var/log/pods", memoryDir } = options.config;
    this.#paths = new PodPaths({ stateDir, logDir, memoryDir });
    this.#records = new PodRecords(
      options.store,
      options.report,
      (uid) => {
        this.#addresses = undefined;
        this.#listeners.tell(uid);
      },
      options.config.localApi?.ca,
    );
    this.#doors = new PodDoors({
      records: this.#records,
      paths: this.#paths,
      listeners: this.#listeners,
      clock: options.clock,
    });
  }

  /** Where the files of pods are. */
  get paths(): PodPaths {
    return this.#paths;
  }

  /** Looks at every pod again, e.g. after the store has synced. */
  lookAgain(): void {
    this.#addAll();
    this.#lookAtAll().catch((error) => this.#warn("what runs could not be looked at", error));
  }

  /** Looks at the pods again that wait for devices. */
  devicesChanged(): void {
    this.#devices?.again();
  }

  /** Looks at one pod again, e.g. when the node wants to end it. */
  look(uid: string): void {
    this.#add(uid);
  }

  /**
   * Ends a pod that the hub has explicitly deleted and whose object is gone. The order is kept
   * when the agent restarts.
   */
  remove(uid: string, graceSeconds?: number): void {
    this.#records.bury(uid, graceSeconds);
    this.#add(uid);
  }

  /**
   * Reads a container's log. The stream ends with the log, or with the run when it follows; it
   * frees everything when its reader cancels or `signal` aborts.
   *
   * @throws {AppError} NotFound for a pod that is not here, BadRequest for a container that is not
   *   there or has no such run
   */
  readLogs(request: LogRequest, signal: AbortSignal): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#doors.readLogs(request, signal);
  }

  /** A pod that is streamed to or from. @throws {AppError} NotFound for a pod that is not here */
  target(request: PodRequest): StreamTarget {
    return this.#doors.target(request);
  }

  /** The pods that were let in and have not ended. */
  active(): Pod[] {
    return this.#records.admitted("");
  }

  /** Whether a pod that runs here has this address. */
  hasAddress(ip: string): boolean {
    // A pod's addresses are written before its first container starts.
    this.#addresses ??= new Set(
      this.#records.memories().filter(({ phase, gone }) => !gone && !isFinalPhase(phase))
        .flatMap(({ ips }) => ips),
    );
    return this.#addresses.has(ip);
  }

  /** UIDs of the pods that have ended, and whose objects are still there. */
  endedUids(): Set<string> {
    const over = this.#records.memories().filter(({ phase, gone }) => !gone && isFinalPhase(phase));
    return new Set(over.map(({ uid }) => uid));
  }

  /** Pods that run here, that nobody here knows, and that run on as nothing says they are to end. */
  strays(): Stray[] {
    return this.#strays?.list() ?? [];
  }

  /** How often the probes of containers that run came to what, since this agent follows them. */
  probeCounts(): ProbeCount[] {
    return this.#prober?.counts() ?? [];
  }

  /** The logs that containers write to now. */
  runningLogs(): RunningLog[] {
    return runningLogs(this.#records.memories(), this.#paths);
  }

  /** See {@linkcode Service}. Ready when all pods are known and the first looks have begun. */
  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { clock, random, runtime, config, store } = this.#options;
    const stop = new AbortController();
    const all = AbortSignal.any([signal, stop.signal]);
    const queue = new WorkQueue({ clock, random, backoff: BACKOFF });
    this.#queue = queue;
    this.#index = new PodIndex();
    const observer = this.#observer = new Observer(runtime, all);
    const strays = this.#strays = new Strays({
      manager: this.#options,
      index: this.#index,
      records: this.#records,
      signal: all,
      add: (uid) => queue.add(uid),
    });
    const { worker, devices, prober, settled } = makePodParts({
      manager: this.#options,
      ...{ queue, observer, signal: all },
      records: this.#records,
      paths: this.#paths,
      event: (uid, event) => this.#event(uid, event),
      runtimeInfo: () => this.#runtimeInfo(all),
      predecessor: (uid) => this.#hasPredecessor(uid),
      shutdown: (pod) => this.#shutdown?.(pod),
      ended: (uid) => this.#ended(uid),
    });
    this.#devices = devices;
    this.#prober = prober;
    pruneTokens(store, (uid) => this.#records.knows(uid, config.nodeName));
    for (const memory of this.#records.memories()) {
      this.#index.addName(memory.uid, memory);
      queue.add(memory.uid);
    }
    const parts = [
      followKind(store, RESOURCES.pods, all, (pod, deleted) => this.#told(pod as Pod, deleted)),
      followKind(store, RESOURCES.configmaps, all, (one) => this.#onObject("configmap", one)),
      followKind(store, RESOURCES.secrets, all, (one) => this.#onObject("secret", one)),
      // Classes are few and change rarely.
      followKind(store, RESOURCES.runtimeclasses, all, () => this.#addAll()),
      this.#followRuntime(all),
      queue.run((uid) => this.#work(worker, uid), {
        workers: config.workers ?? 16,
        signal: all,
        onError: (uid, error) => this.#warn("a pod could not be worked on", error, uid),
      }),
    ];
    ready();
    try {
      await Promise.all(parts);
    } finally {
      stop.abort(signal.reason ?? new AppError("ServiceUnavailable", "The pods service stops"));
      await Promise.allSettled([...parts, settled(), strays.settled()]);
      this.#queue = undefined;
    }
  }

  /**
   * Ends all pods of this node while {@linkcode run} goes on, group after group, because the node
   * goes down or, with `remove`, because the agent is to leave nothing. The objects stay: the next
   * start runs the pods again, but for those that restart nothing. Never throws.
   */
  async stopAll(
    groups: readonly ShutdownGroup[],
    { remove }: { readonly remove: boolean },
  ): Promise<void> {
    const { nodeName } = this.#options.config;
    await stopAll({
      ...this.#options,
      nodeName,
      remove,
      pods: () => this.#records.all(nodeName),
      order: (decide) => {
        this.#shutdown = decide;
        this.#addAll();
      },
    }, groups);
  }

  async #work(worker: PodWorker, uid: string): Promise<ReturnType<typeof ms> | void> {
    const name = this.#index.name(uid);
    if (!name) return;
    // It comes again after the first look at everything, which shows what else may have its name.
    if (!this.#strays?.seen && !this.#records.read(uid, name).memory) return;
    return await worker.work(uid, name);
  }

  /** Whatever is wrong with one pod is that pod's: the others go on. */
  #told(pod: Pod, deleted: boolean): void {
    try {
      this.#onPod(pod, deleted);
    } catch (error) {
      this.#warn("a pod cannot be read", error, pod.metadata.uid);
    }
  }

  #onPod(pod: Pod, deleted: boolean): void {
    const { uid = "", namespace = "default", name } = pod.metadata;
    if (pod.spec.nodeName !== this.#options.config.nodeName) return;
    if (!deleted && this.#records.isOwn(pod)) return;
    if (this.#index.name(uid) === undefined) this.#observer?.came(uid);
    this.#strays?.delete(uid);
    // The older pod of this name, if there is one, now has evidence that it is to go.
    if (deleted) this.#index.addName(uid, { namespace, name });
    else this.#index.add(pod);
    for (const other of this.#index.others(uid)) this.#add(other);
    this.#add(uid);
  }

  #onObject(kind: "configmap" | "secret", object: KubeObject): void {
    const { namespace = "default", name } = object.metadata;
    for (const uid of this.#index.readers(kind, { namespace, name })) this.#add(uid);
  }

  async #followRuntime(signal: AbortSignal): Promise<void> {
    let told = false;
    while (!signal.aborted) {
      try {
        await this.#lookAtAll();
        if (!told) await tellOtherNodes(this.#options, signal);
        told = true;
        for await (const event of this.#options.runtime.events(signal)) {
          if (event.podUid !== undefined) this.#add(event.podUid);
          else {
            this.#runtime = undefined;
            this.#options.onRuntime?.();
            this.#addAll();
            await this.#lookAtAll();
          }
        }
      } catch (error) {
        if (!signal.aborted) this.#warn("the runtime's events cannot be read", error);
      }
      if (!signal.aborted) await sleep(this.#options.clock, EVENTS_RETRY, signal).catch(() => {});
    }
  }

  /** Looks for what nobody here knows: pods that run, and files. */
  async #lookAtAll(): Promise<void> {
    if (!this.#observer) return;
    const all = await this.#observer.all();
    const first = this.#strays?.seen === false;
    this.#strays?.see(all);
    if (first) this.#addAll();
    if (!this.#options.synced()) return;
    const present = new Set([...all.sandboxes, ...all.containers].map((one) => one.podUid));
    this.#sweepMemory(present);
    await this.#sweepFolders(present);
  }

  /** Files of pods of which nothing runs, nothing is remembered, and that the hub does not want. */
  async #sweepFolders(present: ReadonlySet<string>): Promise<void> {
    const { nodeName } = this.#options.config;
    const gone = await sweepPodFolders(
      this.#paths,
      // Asked for each folder: a pod may come while the others are removed.
      (uid) => present.has(uid) || this.#records.knows(uid, nodeName),
    );
    if (gone.length > 0) {
      this.#options.log.info("folders of pods that are gone are removed", { gone });
    }
  }

  /** Secrets of pods that are gone and run nothing do not stay in memory. */
  #sweepMemory(present: ReadonlySet<string>): void {
    const { memoryDir } = this.#options.config;
    if (memoryDir === undefined) return;
    sweepMemoryDir(memoryDir, (uid) => present.has(uid) || this.#index.name(uid) !== undefined);
  }

  async #runtimeInfo(signal: AbortSignal): Promise<RuntimeInfo> {
    return this.#runtime ??= await this.#options.runtime.info(signal);
  }

  #hasPredecessor(uid: string): boolean {
    if (!this.#strays?.seen) return true;
    return this.#index.others(uid).some((other) => {
      if (this.#strays?.has(other)) return true;
      const name = this.#index.name(other);
      const memory = name && this.#records.read(other, name).memory;
      return memory !== undefined && !memory.gone;
    });
  }

  #ended(uid: string): void {
    const others = this.#index.others(uid);
    this.#index.delete(uid);
    this.#strays?.delete(uid);
    for (const other of others) this.#add(other);
  }

  #event(uid: string, event: Parameters<PodRecords["event"]>[1]): void {
    const name = this.#index.name(uid);
    const pod = name && this.#records.read(uid, name).pod;
    if (pod) this.#records.event(pod, event);
  }

  #add(uid: string): void {
    this.#queue?.add(uid);
  }

  #addAll(): void {
    for (const uid of this.#index.uids()) this.#add(uid);
  }

  /** While the runtime is away every pod fails again and again: the node's condition tells of it. */
  #warn(message: string, error: unknown, uid?: string): void {
    const fields = { ...(uid ? { uid } : {}), error: errorText(error) };
    const { log } = this.#options;
    if (isAppError(error, "ServiceUnavailable")) {
      log.debug(message, fields);
      this.#options.onRuntime?.();
    } else log.warn(message, fields);
  }
}
