import type { Connection, Dialer, Frame, Message } from "../../core/link/mod.ts";
import type { SimNode } from "./sim_node.ts";
import type { World } from "./world.ts";

/** A message of the hub that a node has received. */
export interface Seen {
  readonly seq: number;
  readonly t: "put" | "del" | "snap";
  readonly uid: string;
  readonly key: string;
  readonly version: string;
  readonly originRv: string;
  readonly reason?: string;
}

/** Something wrong to do, for showing that the simulation notices. */
export type Mutant =
  | "ack-before-commit"
  | "prune-on-snap"
  | "result-before-commit"
  | "outbox-ignores-seq"
  | "believes-absence"
  | "believes-empty-state";

/** A node's dialer whose connections tell the world what goes over them. */
export class TapDialer implements Dialer {
  readonly #inner: Dialer;
  readonly #world: World;
  readonly #node: SimNode;

  constructor(inner: Dialer, world: World, node: SimNode) {
    this.#inner = inner;
    this.#world = world;
    this.#node = node;
  }

  async dial(path: string, signal: AbortSignal): Promise<Connection> {
    return new NodeTap(await this.#inner.dial(path, signal), this.#world, this.#node);
  }
}

/** Passes everything on. */
class Tap implements Connection {
  readonly inner: Connection;

  constructor(inner: Connection) {
    this.inner = inner;
  }

  get peer(): Connection["peer"] {
    return this.inner.peer;
  }

  get closed(): Connection["closed"] {
    return this.inner.closed;
  }

  send(frame: Frame): Promise<void> {
    return this.inner.send(frame);
  }

  receive(): Promise<Frame | undefined> {
    return this.inner.receive();
  }

  close(code: number, reason: string): void {
    this.inner.close(code, reason);
  }
}

class NodeTap extends Tap {
  readonly #world: World;
  readonly #node: SimNode;
  /** What the connection's process wrote to; the node may have another one since. */
  readonly #disk: SimNode["disk"];
  readonly #seen: Seen[] = [];

  constructor(inner: Connection, world: World, node: SimNode) {
    super(inner);
    this.#world = world;
    this.#node = node;
    this.#disk = node.disk;
  }

  override send(frame: Frame): Promise<void> {
    const message = JSON.parse(frame as string) as Message;
    if (message.t === "ack") this.#ack(message.seq as number);
    return this.inner.send(frame);
  }

  override async receive(): Promise<Frame | undefined> {
    const frame = await this.inner.receive();
    if (frame === undefined) return undefined;
    // deno-lint-ignore no-explicit-any -- a message of any type
    const message = JSON.parse(frame as string) as any;
    const { t, seq } = message;
    if (t !== "put" && t !== "del" && t !== "snap") return frame;
    const meta = message.object?.metadata ?? message;
    const { uid = "", namespace = "", name = "", resourceVersion: originRv = "" } = meta;
    const { version = "", reason } = message;
    const key = `${message.resource}/${namespace}/${name}`;
    this.#seen.push({ seq, t, uid, key, version, originRv, reason });
    if (this.#world.mutant === "ack-before-commit") {
      this.#ack(seq);
      this.inner.send(JSON.stringify({ t: "ack", seq })).catch(() => {});
    }
    if (this.#world.mutant === "prune-on-snap" && t === "snap") this.#prune();
    return frame;
  }

  #ack(seq: number): void {
    if (this.#node.disk !== this.#disk) return;
    this.#world.checkAck(this.#node, this.#seen.filter((seen) => seen.seq <= seq));
  }

  /** The mutant: takes what a snapshot did not name for deleted. */
  #prune(): void {
    const named = new Set(this.#seen.map(({ uid }) => uid));
    this.#node.disk.transact((tx) => {
      for (const { key } of tx.rows("replica")) if (!named.has(key)) tx.deleteRow("replica", key);
      for (const pod of tx.list(this.#world.pods)) {
        const { uid = "", namespace = "", name } = pod.metadata;
        if (!named.has(uid)) tx.purge({ resource: this.#world.pods, namespace, name });
      }
    });
  }
}

/** The hub's end of a connection, which tells the world what the hub answers and removes. */
export class HubTap extends Tap {
  readonly #world: World;
  readonly #intents = new Map<number, Message>();

  constructor(inner: Connection, world: World) {
    super(inner);
    this.#world = world;
  }

  override send(frame: Frame): Promise<void> {
    // deno-lint-ignore no-explicit-any -- a message of any type
    const message = JSON.parse(frame as string) as any;
    if (message.t === "del") this.#world.checkDel(this.peer.name, message);
    if (message.t === "result") this.#answered(message);
    return this.inner.send(frame);
  }

  override async receive(): Promise<Frame | undefined> {
    for (;;) {
      const frame = await this.inner.receive();
      if (frame === undefined) return undefined;
      const message = JSON.parse(frame as string) as Message;
      if (message.t !== "intent") return frame;
      this.#intents.set(message.seq as number, message);
      if (this.#world.mutant !== "result-before-commit") return frame;
      const result = { t: "result", seq: message.seq, ok: true };
      this.#answered(result);
      await this.inner.send(JSON.stringify(result)).catch(() => {});
    }
  }

  // deno-lint-ignore no-explicit-any -- a message of any type
  #answered(result: any): void {
    const intent = this.#intents.get(result.seq);
    if (intent && (result.ok || !result.error?.retry)) {
      this.#world.checkResult(this.peer.name, intent, result.ok);
    }
  }
}
