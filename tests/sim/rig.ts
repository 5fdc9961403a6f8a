import {
  type Logger,
  type Ms,
  ms,
  seconds,
  seededRandom,
  silentLogger,
} from "../../core/base/mod.ts";
import { createLink, type Link, type LinkHandlers } from "../../agent/link/mod.ts";
import { createHub, type Hub, type HubOptions } from "../../cloud/hub/mod.ts";
import {
  type KubeObject,
  type ObjectRef,
  type ResourceDef,
  RESOURCES,
} from "../../core/api/mod.ts";
import { Views } from "../../core/control/mod.ts";
import { type Connection, MemoryNetwork } from "../../core/link/mod.ts";
import { openSqliteStore, type SqliteStore } from "../../core/store/mod.ts";
import { SimClock } from "./sim_clock.ts";

/** One agent of a {@linkcode Rig}. */
export interface RigNode {
  readonly name: string;
  readonly store: SqliteStore;
  readonly link: Link;
  stop(): Promise<void>;
}

/** One hub and agents on virtual time, for scenarios that are told step by step. */
export class Rig implements AsyncDisposable {
  readonly clock = new SimClock();
  readonly network: MemoryNetwork;
  readonly random = seededRandom(1);
  readonly store: SqliteStore;
  readonly closes: { readonly node: string; readonly code: number; readonly at: Ms }[] = [];
  readonly hubOptions: Partial<HubOptions>;
  readonly log: Logger;
  /** Frames that were sent so far, both ways. */
  frames = 0;
  hub!: Hub;
  #stopHub: (() => Promise<void>) | undefined;
  readonly #nodes: RigNode[] = [];

  constructor(options: Partial<HubOptions> = {}, latency = 5) {
    const { clock, random } = this;
    this.hubOptions = options;
    this.log = silentLogger;
    const duplicate = (): boolean => {
      this.frames++;
      return false;
    };
    this.network = new MemoryNetwork({ clock, latency: () => ms(latency), duplicate });
    this.store = openSqliteStore({ path: ":memory:", clock, random });
  }

  /** Starts the hub, over `store` or another one. */
  async startHub(store: SqliteStore = this.store): Promise<void> {
    const stop = new AbortController();
    const { clock, random, log } = this;
    const parts = { store, clock, random, log };
    const views = new Views(parts);
    this.hub = createHub({
      ...parts,
      views,
      version: "test",
      identities: { check: () => Promise.resolve({ ok: true }) },
      ...this.hubOptions,
    });
    const done = Promise.all([views.run(stop.signal), this.hub.run(stop.signal, () => {})]);
    this.network.onConnection((connection, path) => {
      this.#watch(connection);
      this.hub.accept(connection, path);
    });
    this.#stopHub = async () => {
      stop.abort(new Error("stop"));
      await this.pass(0.1);
      await done;
    };
    await this.pass(0);
  }

  /** Stops the hub politely (4503). */
  async stopHub(): Promise<void> {
    await this.#stopHub?.();
    this.network.hubDown();
  }

  /** Starts an agent; its store outlives it when given. */
  node(name: string, handlers: LinkHandlers = {}, store?: SqliteStore): RigNode {
    const { clock, random, log } = this;
    const disk = store ?? openSqliteStore({ path: ":memory:", clock, random });
    const peer = { name, fingerprint: name, remote: "test" };
    const link = createLink({
      dialer: this.network.dialer(peer),
      store: disk,
      clock,
      random,
      log,
      node: name,
      version: "test",
      bootId: crypto.randomUUID(),
      handlers,
    });
    const stop = new AbortController();
    const done = link.run(stop.signal, () => {});
    const node = {
      name,
      store: disk,
      link,
      stop: async () => {
        stop.abort(new Error("stop"));
        await this.pass(0.1);
        await done;
      },
    };
    this.#nodes.push(node);
    return node;
  }

  /** Lets `span` seconds pass. */
  async pass(span: number): Promise<void> {
    await this.clock.advance(seconds(span));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.#nodes) await node.stop();
    await this.#stopHub?.();
    this.network[Symbol.dispose]();
  }

  #watch(connection: Connection): void {
    void connection.closed.then(({ code }) =>
      this.closes.push({ node: connection.peer.name, code, at: this.clock.monotonic() })
    );
  }
}

/** A pod in `default`, bound to `node`. */
export function podOn(node: string, name: string, spec: Record<string, unknown> = {}): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: { nodeName: node, containers: [{ name: "c", image: "i" }], ...spec },
  };
}

/** A ConfigMap in `default`. */
export function configMap(name: string, value: string): KubeObject {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: "default" },
    data: { value },
  };
}

/** Names of what the agent holds of a resource. */
export function names(node: RigNode, resource: ResourceDef = RESOURCES.pods): string[] {
  return node.store.transact((tx) => tx.list(resource)).map(({ metadata }) => metadata.name);
}

/** Names one object in `default`. */
export function refTo(resource: ResourceDef, name: string): ObjectRef {
  return { resource, namespace: "default", name };
}
