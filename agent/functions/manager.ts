import {
  type KubeObject,
  mergeWasmStatus,
  RESOURCES,
  validateWasmFunction,
  type WasmFunction,
  type WasmFunctionNodeStatus,
  wasmFunctionPlacement,
} from "../../core/api/mod.ts";
import {
  AppError,
  type Clock,
  errorText,
  isAppError,
  type Logger,
  minutes,
  type Ms,
  type Random,
  seconds,
  type Service,
  sleep,
  toTime,
  WorkQueue,
} from "../../core/base/mod.ts";
import type { RunnerClient, RunnerFunction, RunnerStatus } from "../../core/runnerapi/mod.ts";
import type { LocalStore, Tx } from "../../core/store/mod.ts";
import { isFromManifest } from "../manifests/mod.ts";
import { buriedFunctions, digUpFunction } from "./evidence.ts";
import { planFunction, revisionOf, type SourceResult, toRunnerFunction } from "./plan.ts";
import { RunnerLink } from "./runner_link.ts";
import { type FoundModule, ModuleSources, SourceError } from "./sources.ts";

/** Options of {@linkcode FunctionManager}. */
export interface FunctionManagerOptions {
  readonly store: LocalStore;
  /** Name of this node. Its labels are read from its Node object. */
  readonly node: string;
  readonly client: RunnerClient;
  /** Folder that `spec.source.file` names a file below. */
  readonly files: string;
  /** Folder of fetched modules; made when absent. */
  readonly cache: string;
  /** `host` or `host:port` that modules may be fetched from: the option `function-hosts`. @default {none} */
  readonly hosts?: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Whether the store shows all that the hub wants: only then does an absent function end. */
  readonly synced: () => boolean;
  /** Tells the hub how a function stands, in the transaction that writes it down here. */
  readonly report: (tx: Tx, fn: WasmFunction, status: WasmFunctionNodeStatus) => void;
}

/** Side table: what was reported last of each function, by UID. */
const REPORT_SPACE = "function-report";
const BACKOFF = { base: seconds(1), cap: minutes(5) };
/** A file source has no watch: it is looked at this often. */
const FILE_INTERVAL = seconds(15);
/** Counters go up to the hub this often, when they changed. */
const COUNTER_INTERVAL = minutes(1);
/** A compiler that died or took too long is tried again this often. */
const COMPILE_INTERVAL = minutes(1);
const WORKERS = 4;
/** A module is put so often when the runner says each time that it has none. */
const PUT_TRIES = 3;

/** Ends with a retry of the work item. */
class LookAgain extends Error {}

/**
 * Keeps the runner serving the functions of this node: finds their modules, gives both to the
 * runner, and reports how each stands. What the runner lost, or missed while it was away, it gets
 * again when it is back.
 */
export class FunctionManager implements Service {
  readonly name = "functions";
  readonly onFailure = "restart";
  readonly #options: FunctionManagerOptions;
  readonly #sources: ModuleSources;
  readonly #link: RunnerLink;
  /** When each function was last given to the runner, by UID. */
  readonly #puts = new Map<string, Ms>();
  #queue: WorkQueue | undefined;

  constructor(options: FunctionManagerOptions) {
    this.#options = options;
    this.#sources = new ModuleSources(options);
    this.#link = new RunnerLink({
      ...options,
      changed: (uid) => uid === undefined ? this.lookAgain() : this.#queue?.add(uid),
    });
  }

  /** What the runner says of itself, while it is connected; for the node's status. */
  get runner(): RunnerStatus | undefined {
    return this.#link.status;
  }

  /** Looks at every function again, e.g. after the store has synced. */
  lookAgain(): void {
    const buried = this.#options.store.transact(buriedFunctions);
    const all = [...this.#functions().keys(), ...this.#link.uids(), ...buried];
    for (const uid of all) this.#queue?.add(uid);
  }

  /** Reports every function's last status again, for a hub that may have lost it. */
  reportAgain(tx: Tx): void {
    for (const { key, value } of tx.rows(REPORT_SPACE)) {
      const fn = this.#find(tx, key);
      if (fn) this.#report(tx, fn, JSON.parse(value) as WasmFunctionNodeStatus);
    }
  }

  /** The hub does not know the functions of this node's manifests. */
  #report(tx: Tx, fn: WasmFunction, status: WasmFunctionNodeStatus): void {
    if (!isFromManifest(tx, fn)) this.#options.report(tx, fn, status);
  }

  /** See {@linkcode Service}. Ready when all functions are known, runner or not. */
  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { clock, random, log } = this.#options;
    const stop = new AbortController();
    const all = AbortSignal.any([signal, stop.signal]);
    const queue = new WorkQueue({ clock, random, backoff: BACKOFF });
    this.#queue = queue;
    try {
      await using watches = await this.#watch(all);
      this.lookAgain();
      ready();
      await Promise.all([
        watches.ended,
        this.#link.run(all),
        this.#countAgain(all),
        queue.run((uid) => this.#work(uid, all), {
          workers: WORKERS,
          signal: all,
          onError: (uid, error) => {
            if (error instanceof LookAgain) return;
            log.warn("function cannot be looked after, trying again", {
              uid,
              error: errorText(error),
            });
          },
        }),
      ]);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      stop.abort(new Error("the function manager is stopping"));
      queue.close();
    }
  }

  /** Every function in the store by UID. */
  #functions(): Map<string, WasmFunction> {
    return this.#options.store.transact((tx) =>
      new Map(
        tx.list(RESOURCES.wasmfunctions).map((fn) => [fn.metadata.uid ?? "", fn as WasmFunction]),
      )
    );
  }

  #find(tx: Tx, uid: string): WasmFunction | undefined {
    const found = tx.list(RESOURCES.wasmfunctions).find((fn) => fn.metadata.uid === uid);
    return found as WasmFunction | undefined;
  }

  async #watch(signal: AbortSignal): Promise<{ ended: Promise<void> } & AsyncDisposable> {
    const { store, node } = this.#options;
    const onFunction = (object: KubeObject): void => this.#queue?.add(object.metadata.uid ?? "");
    const onMap = (map: KubeObject): void => {
      for (const [uid, fn] of this.#functions()) {
        const ref = fn.spec.source?.configMapRef;
        const here = fn.metadata.namespace === map.metadata.namespace;
        if (here && ref?.name === map.metadata.name) this.#queue?.add(uid);
      }
    };
    let labels = "";
    const onNode = (object: KubeObject): void => {
      const now = JSON.stringify(object.metadata.labels ?? {});
      if (object.metadata.name !== node || now === labels) return;
      labels = now;
      this.lookAgain();
    };
    const watches = [
      await Follower.open(store, RESOURCES.wasmfunctions, onFunction),
      await Follower.open(store, RESOURCES.configmaps, onMap),
      await Follower.open(store, RESOURCES.nodes, onNode),
    ];
    return {
      ended: Promise.all(watches.map((watch) => watch.run(signal))).then(() => {}),
      [Symbol.asyncDispose]: () => {
        for (const watch of watches) watch[Symbol.dispose]();
        return Promise.resolve();
      },
    };
  }

  /** Looks at one function. A returned time is when to look again. */
  async #work(uid: string, signal: AbortSignal): Promise<Ms | void> {
    const fn = this.#functions().get(uid);
    if (!fn || fn.metadata.deletionTimestamp || !this.#isHere(fn)) {
      return await this.#end(uid, fn, signal);
    }
    const view = this.#link.view(uid);
    // The runner went away a moment ago; it is looked at again when it is back or stays away.
    if (!view) return;
    const { source, wanted, module } = await this.#prepare(fn, signal);
    const plan = planFunction({ node: this.#options.node, fn, source, wanted, runner: view });
    if (module && plan.put && (!plan.again || this.#mayPutAgain(uid))) {
      this.#puts.set(uid, this.#options.clock.monotonic());
      await this.#put(plan.put, module, signal);
    }
    this.#write(fn, plan.status);
    if (plan.again) return COMPILE_INTERVAL;
    if (source.found || plan.retry) {
      if (fn.spec.source?.file !== undefined) return FILE_INTERVAL;
    }
    if (plan.retry) throw new LookAgain();
  }

  /** Whether a revision whose compiler failed may be tried again. */
  #mayPutAgain(uid: string): boolean {
    const last = this.#puts.get(uid);
    return last === undefined || this.#options.clock.monotonic() - last >= COMPILE_INTERVAL;
  }

  #isHere(fn: WasmFunction): boolean {
    const { node, store } = this.#options;
    const labels = store.transact((tx) =>
      tx.get({ resource: RESOURCES.nodes, name: node })?.metadata.labels ?? {}
    );
    return wasmFunctionPlacement(fn)({ name: node, labels });
  }

  async #prepare(fn: WasmFunction, signal: AbortSignal): Promise<{
    readonly source: SourceResult;
    readonly wanted: RunnerFunction | undefined;
    readonly module: FoundModule | undefined;
  }> {
    const [cause] = validateWasmFunction(fn);
    const none = { wanted: undefined, module: undefined };
    if (cause) {
      const { message } = cause;
      return { ...none, source: { found: false, reason: "InvalidSpec", message, retry: false } };
    }
    try {
      const module = await this.#sources.find(fn, signal);
      const bare = toRunnerFunction(fn, module.digest);
      const wanted = { ...bare, revision: await revisionOf(bare) };
      return { source: { found: true, digest: module.digest }, wanted, module };
    } catch (error) {
      if (error instanceof SourceError) return { ...none, source: error.result };
      throw error;
    }
  }

  async #put(fn: RunnerFunction, module: FoundModule, signal: AbortSignal): Promise<void> {
    const { client, log } = this.#options;
    let { result } = await client.putFunction(fn, signal);
    // A runner may collect a module between the two, as nothing names it yet.
    for (let tries = 0; result === "module-missing" && tries < PUT_TRIES; tries++) {
      await client.putModule(module.digest, await module.read(), signal);
      ({ result } = await client.putFunction(fn, signal));
    }
    if (result === "module-missing") {
      throw new AppError(
        "ServiceUnavailable",
        `the runner lost module ${module.digest} of function ${fn.namespace}/${fn.name} ` +
          `${PUT_TRIES} times: look at the runner's log and state folder`,
      );
    }
    log.info("function given to the runner", {
      ...{ ns: fn.namespace, name: fn.name, uid: fn.uid },
      revision: fn.revision,
    });
  }

  /** The function is not for this node any more: takes it out of the runner. */
  async #end(uid: string, fn: WasmFunction | undefined, signal: AbortSignal): Promise<void> {
    const { store, synced, client, log } = this.#options;
    // A store that is not complete proves nothing: what the runner serves goes on.
    if (!fn && !synced() && !store.transact(buriedFunctions).includes(uid)) return;
    const { connected } = this.#link;
    if (connected && this.#link.uids().includes(uid)) {
      await client.deleteFunction(uid, signal);
      log.info("function taken from the runner", { uid });
    }
    store.transact((tx) => {
      tx.deleteRow(REPORT_SPACE, uid);
      // A runner that is away has it still, when it comes back.
      if (connected) digUpFunction(tx, uid);
    });
    this.#sources.forget(uid);
    this.#puts.delete(uid);
    const keep = [...this.#functions().values()].map((other) => other.spec.source?.http?.sha256);
    await this.#sources.collect(new Set(keep.filter((digest) => digest !== undefined)));
  }

  /** Writes the status into the store and reports it, when it says anything new. */
  #write(fn: WasmFunction, status: WasmFunctionNodeStatus): void {
    const { store, clock, node } = this.#options;
    const uid = fn.metadata.uid ?? "";
    store.transact((tx) => {
      const row = tx.row(REPORT_SPACE, uid);
      const before = row && JSON.parse(row.value) as WasmFunctionNodeStatus;
      const same = before?.ready === status.ready && before.reason === status.reason;
      const since = same ? before?.lastTransitionTime : undefined;
      const next = { ...status, lastTransitionTime: since ?? toTime(clock.now()) };
      const value = JSON.stringify(next);
      const current = this.#find(tx, uid);
      if (!current || row?.value === value) return;
      tx.putRow(REPORT_SPACE, uid, value);
      const { name, namespace = "default" } = current.metadata;
      const ref = { resource: RESOURCES.wasmfunctions, namespace, name };
      const written = tx.update(ref, (object) => ({
        ...object,
        status: mergeWasmStatus(object as WasmFunction, { node, report: next }, {
          now: clock.now(),
        }),
      }), { subresource: "status" });
      this.#report(tx, written as WasmFunction, next);
    });
  }

  /** Now and then asks for the counters, which make no events. */
  async #countAgain(signal: AbortSignal): Promise<void> {
    const { clock, client } = this.#options;
    for (;;) {
      await sleep(clock, COUNTER_INTERVAL, signal);
      if (!this.#link.connected) continue;
      try {
        this.#link.update((await client.status(signal)).functions);
      } catch (error) {
        if (signal.aborted || !isAppError(error, "ServiceUnavailable")) throw error;
        continue;
      }
      this.lookAgain();
    }
  }
}

/** A watch of one resource that begins anew when it was too slow. */
class Follower implements Disposable {
  readonly #store: LocalStore;
  readonly #resource: Parameters<LocalStore["watch"]>[0];
  readonly #tell: (object: KubeObject) => void;
  #watch: Awaited<ReturnType<LocalStore["watch"]>>;

  private constructor(
    store: LocalStore,
    resource: Parameters<LocalStore["watch"]>[0],
    tell: (object: KubeObject) => void,
    watch: Awaited<ReturnType<LocalStore["watch"]>>,
  ) {
    this.#store = store;
    this.#resource = resource;
    this.#tell = tell;
    this.#watch = watch;
  }

  static async open(
    store: LocalStore,
    resource: Parameters<LocalStore["watch"]>[0],
    tell: (object: KubeObject) => void,
  ): Promise<Follower> {
    return new Follower(store, resource, tell, await store.watch(resource));
  }

  async run(signal: AbortSignal): Promise<void> {
    const onAbort = (): void => this.#watch.abort();
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      while (!signal.aborted) {
        try {
          for await (const event of this.#watch) {
            if (event.type !== "BOOKMARK") this.#tell(event.object);
          }
          if (!signal.aborted) throw new Error("a watch of the local store ended by itself");
        } catch (error) {
          if (!isAppError(error, "Expired")) throw error;
          this.#watch = await this.#store.watch(this.#resource);
        }
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  [Symbol.dispose](): void {
    this.#watch.abort();
  }
}
