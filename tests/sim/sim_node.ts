import { seconds, silentLogger } from "../../core/base/mod.ts";
import { type Pod, RESOURCES } from "../../core/api/mod.ts";
import { createLink, type Link } from "../../agent/link/mod.ts";
import { type StrayWatch, watchStrays } from "../../agent/pods/testing/mod.ts";
import type { SqliteStore } from "../../core/store/mod.ts";
import { allowPrune } from "../../core/sync/mod.ts";
import { CrashStore } from "./crash_store.ts";
import { TapDialer } from "./taps.ts";
import type { World } from "./world.ts";

const { pods, wasmfunctions } = RESOURCES;

/**
 * A gateway: a store and containers that outlive the agent process, and the agent's own link code.
 * The pods room is played by `work()`: it starts what the store says, and stops only on evidence.
 */
export class SimNode {
  readonly name: string;
  /** Survives the process, as a file does. */
  disk: SqliteStore;
  /** Containers by pod uid; they survive the process too. */
  readonly running = new Map<string, { namespace: string; name: string }>();
  readonly #world: World;
  #process:
    | {
      store: CrashStore;
      link: Link;
      strays: StrayWatch;
      stop: AbortController;
      done: Promise<void>;
    }
    | undefined;
  /** The replica was complete once in this life of the process, in the epoch it knew. */
  #synced = false;
  /** Uids that ran when the hub's history changed: their absence proves nothing (on disk, too). */
  readonly kept = new Set<string>();
  /** Uids that ran when the disk was lost: nothing here knows them. */
  readonly #lost = new Set<string>();
  /** Uids whose containers were stopped: they must never run again. */
  readonly #stopped = new Set<string>();
  /** Uids to be reported again when they are still here: the hub refused, or asked (protocol 5). */
  readonly refused = new Set<string>();
  #counter = 0;
  #boots = 0;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.disk = world.newDisk();
  }

  get up(): boolean {
    return this.#process !== undefined;
  }

  /** Starts the agent. */
  start(): void {
    const { clock, random, network, mutant } = this.#world;
    this.#synced = false;
    const store = new CrashStore(this.disk, {
      clock,
      onCrash: () => this.crash("crash point"),
      ...(mutant === "outbox-ignores-seq"
        ? {
          mutate: (tx) =>
            new Proxy(tx, {
              get: (target, name: keyof typeof tx) =>
                name === "deleteRow"
                  ? (space: string, key: string) => target.deleteRow(space, key)
                  : target[name].bind(target),
            }),
        }
        : {}),
    });
    const peer = { name: this.name, fingerprint: this.name, remote: "sim" };
    const link = createLink({
      dialer: new TapDialer(network.dialer(peer), this.#world, this),
      store,
      clock,
      random,
      log: this.#world.logger ?? silentLogger,
      node: this.name,
      version: "sim",
      bootId: `${this.name}-${++this.#boots}`,
      handlers: {
        onReport: () => this.#reportAll(),
        onRefused: ({ key }) => void this.refused.add(key.slice(key.indexOf("/") + 1)),
        onSynced: ({ newEpoch }) => {
          if (newEpoch) { for (const uid of this.running.keys()) this.kept.add(uid); }
          this.#synced = true;
          this.#reportAll();
        },
      },
    });
    const stop = new AbortController();
    const done = link.run(stop.signal, () => {});
    const strays = watchStrays({
      ...{ store, clock, node: this.name, signal: stop.signal },
      synced: () => this.#synced,
      boundPods: async (signal) => (await link.call("pods", {}, signal) as { uids: string[] }).uids,
    });
    this.#process = { store, link, strays, stop, done };
  }

  /** The process dies, its disk is lost, and a person joins the node anew. */
  loseState(): void {
    // Started again later by whoever has ended it.
    if (!this.#process) return;
    for (const uid of this.running.keys()) this.#lost.add(uid);
    this.crash("its disk is lost");
    this.disk = this.#world.newDisk();
    this.disk.transact(allowPrune);
  }

  /** The process dies. */
  crash(why: string): void {
    const process = this.#process;
    if (!process) return;
    this.#world.trace(`${this.name} crashes: ${why}`);
    this.#process = undefined;
    process.store.kill();
    this.#world.network.cut(this.name);
    process.stop.abort(new Error("crash"));
    this.#world.restartLater(this);
  }

  /** A crash point in the agent's next transaction. */
  arm(point: "before" | "inside" | "after"): void {
    this.#process?.store.arm(point);
  }

  /** A polite stop. */
  async stop(): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    process?.stop.abort(new Error("stop"));
    await process?.done;
  }

  kick(): void {
    this.#process?.link.kick();
  }

  get connected(): boolean {
    return this.#process?.link.state.connected ?? false;
  }

  /** What the pods room would do now. `busy`: also change a status for no reason. */
  work(busy: boolean): void {
    const process = this.#process;
    if (!process) return;
    try {
      process.strays.see(this.running);
      this.#work(process, busy);
    } catch {
      // A crash point: the process has died and will be restarted.
    }
  }

  #work(
    { store, link, strays }: { store: CrashStore; link: Link; strays: StrayWatch },
    busy: boolean,
  ): void {
    const present = new Set<string>();
    const wanted = this.disk.transact((tx) => tx.list(pods)) as Pod[];
    for (const pod of wanted) {
      const { uid = "", namespace = "", name, deletionTimestamp } = pod.metadata;
      present.add(uid);
      this.#lost.delete(uid);
      if (deletionTimestamp !== undefined) {
        if (this.running.has(uid)) this.#stopContainer(uid, "deletionTimestamp");
        store.transact((tx) => {
          const key = `pod-gone/${uid}`;
          if (tx.row("outbox", key)) return;
          link.outbox.enqueue(tx, { key, kind: "pod-gone", body: { namespace, name, uid } });
        });
      } else if (pod.status?.phase === "Failed") {
        if (this.running.has(uid)) {
          this.#stopContainer(uid, "ended");
          this.#report(store, link, pod, "Failed");
        } else if (this.refused.delete(uid)) this.#report(store, link, pod, "Failed");
      } else if (!this.running.has(uid)) {
        if (this.#stopped.has(uid)) {
          this.#world.fail(`${this.name} starts stopped pod ${uid} again`);
        }
        this.running.set(uid, { namespace, name });
        this.#report(store, link, pod);
      } else if (this.refused.delete(uid) || (busy && this.#world.random() < 0.5)) {
        this.#report(store, link, pod);
      }
    }
    const names = new Set(wanted.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`));
    for (const [uid, { namespace, name }] of [...this.running]) {
      if (present.has(uid)) continue;
      if (names.has(`${namespace}/${name}`)) this.#stopContainer(uid, "replaced");
      else if (this.#mayEnd(uid, strays)) this.#stopContainer(uid, "nobody wants it");
    }
    this.#reportFunctions(store, link, busy);
  }

  /** Whether there is evidence that a pod is to go whose object is absent. */
  #mayEnd(uid: string, strays: StrayWatch): boolean {
    if (this.#lost.has(uid)) {
      return this.#world.mutant === "believes-empty-state" || strays.isBuried(uid);
    }
    // Absence is evidence only once the replica was complete, and of the same history.
    return this.#synced && !this.kept.has(uid);
  }

  #reportAll(): void {
    for (const uid of this.running.keys()) this.refused.add(uid);
    for (const uid of this.#stopped) if (this.#world.ended.has(uid)) this.refused.add(uid);
  }

  #report(
    store: CrashStore,
    link: Link,
    pod: Pod,
    phase: "Running" | "Failed" = "Running",
  ): void {
    const { uid = "", namespace = "", name } = pod.metadata;
    const n = ++this.#counter;
    const status = { phase, observedGeneration: n };
    store.transact((tx) => {
      const now = tx.get({ resource: pods, namespace, name });
      if (now?.metadata.uid !== uid) return;
      tx.update({ resource: pods, namespace, name }, (current) => ({ ...current, status }), {
        subresource: "status",
      });
      const body = { namespace, name, uid, status };
      link.outbox.enqueue(tx, { key: `pod-status/${uid}`, kind: "pod-status", body });
      tx.putRow("sim", uid, String(n));
    });
  }

  #reportFunctions(store: CrashStore, link: Link, busy: boolean): void {
    for (const fn of this.disk.transact((tx) => tx.list(wasmfunctions))) {
      const { uid = "", namespace = "", name } = fn.metadata;
      if (!this.refused.delete(uid) && !busy) continue;
      const n = ++this.#counter;
      store.transact((tx) => {
        const node = { name: this.name, ready: true, reason: "Serving", message: String(n) };
        const body = { namespace, name, uid, node };
        const key = `function-status/${uid}`;
        link.outbox.enqueue(tx, { key, kind: "function-status", body });
        tx.putRow("sim", uid, String(n));
      });
    }
  }

  #stopContainer(uid: string, why: string): void {
    const { namespace = "", name = "" } = this.running.get(uid) ?? {};
    this.running.delete(uid);
    this.#stopped.add(uid);
    this.#world.trace(`${this.name} stops ${namespace}/${name} (${why})`);
    this.#world.checkStop(this, uid, namespace, name);
  }
}

/** How long a gateway is down after a crash. */
export const RESTART_AFTER = seconds(2);
