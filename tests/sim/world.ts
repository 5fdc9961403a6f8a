import {
  type Logger,
  type Ms,
  ms,
  type Random,
  seededRandom,
  silentLogger,
} from "../../core/base/mod.ts";
import { RESOURCES } from "../../core/api/mod.ts";
import { createHub, type Hub } from "../../cloud/hub/mod.ts";
import { answerCall } from "../../cloud/server/mod.ts";
import { Views } from "../../core/control/mod.ts";
import { type Connection, MemoryNetwork, type Message } from "../../core/link/mod.ts";
import { openSqliteStore, type SqliteStore } from "../../core/store/mod.ts";
import * as checks from "./checks.ts";
import { CrashStore } from "./crash_store.ts";
import { SimClock } from "./sim_clock.ts";
import { RESTART_AFTER, SimNode } from "./sim_node.ts";
import { HubTap, type Mutant, type Seen } from "./taps.ts";

/** Options of {@linkcode World}. */
export interface WorldOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly hubs: number;
  readonly mutant?: Mutant;
  readonly logger?: Logger;
}

/** Thrown when an invariant does not hold. */
export class InvariantBroken extends Error {
  override readonly name = "InvariantBroken";
}

interface HubProcess {
  readonly hub: Hub;
  readonly store: CrashStore;
  readonly stop: AbortController;
  readonly done: Promise<void>;
  /** Nodes whose newest session connection it took. */
  readonly nodes: Set<string>;
}

/** Hubs over one store, nodes with disks of their own, and a network that fails as told. */
export class World {
  readonly clock = new SimClock();
  readonly random: Random;
  readonly network: MemoryNetwork;
  readonly nodes: SimNode[] = [];
  readonly pods = RESOURCES.pods;
  readonly mutant: Mutant | undefined;
  readonly logger: Logger | undefined;
  /** What the hubs serve; survives them. */
  disk: SqliteStore;
  readonly events: string[] = [];
  /** Uids of pods of which somebody has said that they have ended. */
  readonly ended = new Set<string>();
  broken: InvariantBroken | undefined;
  faults = true;
  readonly #hubs: (HubProcess | undefined)[] = [];
  #ids = 0;

  constructor(options: WorldOptions) {
    this.random = seededRandom(options.seed);
    this.mutant = options.mutant;
    this.logger = options.logger;
    this.network = new MemoryNetwork({
      clock: this.clock,
      latency: () => ms(!this.faults ? 5 : this.random() * (this.random() < 0.1 ? 1500 : 40)),
      duplicate: (frame) => this.faults && this.random() < 0.05 && isRepeatable(frame),
    });
    this.disk = this.newDisk();
    for (let i = 0; i < options.hubs; i++) this.#hubs.push(undefined);
    this.#hubs.forEach((_, index) => this.startHub(index));
    for (let i = 0; i < options.nodes; i++) this.nodes.push(new SimNode(this, `n${i}`));
    for (const node of this.nodes) node.start();
    this.network.onConnection((connection, path) => this.#accept(connection, path));
  }

  /** Ids that depend on the seed only. */
  readonly newId = (): string => {
    const part = Math.floor(this.random() * 2 ** 32).toString(16).padStart(8, "0");
    return `${part}${(this.#ids++).toString(16).padStart(24, "0")}`;
  };

  newDisk(): SqliteStore {
    const { clock, random, newId } = this;
    return openSqliteStore({ path: ":memory:", clock, random, uid: newId });
  }

  trace(text: string): void {
    this.events.push(`${(this.clock.monotonic() / 1000).toFixed(3)} ${text}`);
  }

  /** An invariant is broken: remembered, and thrown at the next step. */
  fail(text: string): void {
    this.trace(`BROKEN: ${text}`);
    this.broken ??= new InvariantBroken(text);
  }

  startHub(index: number): void {
    const { clock, random } = this;
    const store = new CrashStore(this.disk, {
      clock,
      onCrash: () => this.crashHub(index, "crash point"),
      lag: () => ms(this.faults ? this.random() * 300 : 0),
    });
    const blind = this.mutant === "believes-absence";
    const parts = {
      store: blind ? checks.believingAbsence(store) : store,
      clock,
      random,
      log: this.logger ?? silentLogger,
    };
    const views = new Views(parts);
    const hub = createHub({
      ...parts,
      views,
      version: "sim",
      identities: { check: () => Promise.resolve({ ok: true }) },
      onCall: (peer, method, body, signal) =>
        answerCall({ join: undefined as never, issueToken: undefined, store }, peer, {
          ...{ method, body, signal },
        }),
      newId: this.newId,
    });
    const stop = new AbortController();
    const running = [views.run(stop.signal), hub.run(stop.signal, () => {})];
    const done = Promise.all(running).then(() => {}, () => {/* it crashed */});
    this.#hubs[index] = { hub, store, stop, done, nodes: new Set() };
  }

  hubUp(index: number): boolean {
    return this.#hubs[index] !== undefined;
  }

  /** The hub process dies and is started again a little later. */
  crashHub(index: number, why: string): void {
    const process = this.#hubs[index];
    if (!process) return;
    this.trace(`hub ${index} crashes: ${why}`);
    this.#hubs[index] = undefined;
    process.store.kill();
    for (const node of process.nodes) this.network.cut(node);
    process.stop.abort(new Error("crash"));
    this.clock.timer(ms(500 + this.random() * 5000), () => {
      if (!this.#hubs[index]) this.startHub(index);
    });
  }

  armHub(index: number, point: "before" | "inside" | "after"): void {
    this.#hubs[index]?.store.arm(point);
  }

  /** A polite restart. */
  restartHub(index: number): void {
    const process = this.#hubs[index];
    if (!process) return;
    this.trace(`hub ${index} restarts`);
    this.#hubs[index] = undefined;
    process.stop.abort(new Error("restart"));
    void process.done.then(() => this.hubUp(index) || this.startHub(index));
  }

  restartLater(node: SimNode): void {
    this.clock.timer((RESTART_AFTER * (0.5 + this.random())) as Ms, () => {
      if (!node.up) node.start();
    });
  }

  /** All hubs die and their store is lost; new ones begin with nothing. */
  loseHubs(): void {
    this.trace("the hubs' store is lost");
    this.#hubs.forEach((_, index) => this.crashHub(index, "store lost"));
    this.disk = this.newDisk();
    for (const node of this.nodes) {
      for (const uid of node.running.keys()) node.kept.add(uid);
    }
  }

  checkAck(node: SimNode, seen: readonly Seen[]): void {
    checks.checkAck(this, node, seen);
  }

  checkDel(node: string, del: checks.DelMessage): void {
    checks.checkDel(this, node, del);
  }

  checkResult(node: string, intent: Message, ok: boolean): void {
    checks.checkResult(this, node, intent, ok);
  }

  checkStop(node: SimNode, uid: string, namespace: string, name: string): void {
    checks.checkStop(this, node, { uid, namespace, name });
  }

  async dispose(): Promise<void> {
    this.faults = false;
    for (const node of this.nodes) void node.stop();
    for (const process of this.#hubs) process?.stop.abort(new Error("over"));
    await this.clock.advance(20_000);
    this.network[Symbol.dispose]();
  }

  #accept(connection: Connection, path: string): void {
    const up = this.#hubs.filter((process) => process !== undefined);
    const process = up[Math.floor(this.random() * up.length)];
    if (!process) throw new Error("no hub is up");
    const { name } = connection.peer;
    for (const other of up) other.nodes.delete(name);
    process.nodes.add(name);
    process.hub.accept(new HubTap(connection, this), path);
  }
}

/** What docs/protocol.md lets arrive twice. */
function isRepeatable(frame: unknown): boolean {
  return typeof frame === "string" && /^\{"t":"(put|del|ack|intent|result|ping|pong)"/.test(frame);
}
