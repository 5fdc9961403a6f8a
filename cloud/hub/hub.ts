import {
  AppError,
  errorText,
  linkSignals,
  type Logger,
  type Ms,
  ms,
  sleep,
  untilAborted,
} from "../../core/base/mod.ts";
import { CLOSE, type Connection } from "../../core/link/mod.ts";
import { HubView } from "../../core/sync/mod.ts";
import { EventRate } from "./event_rate.ts";
import { NodeSession, type SessionHost } from "./node_session.ts";
import type { Hub, HubOptions, NodeLink, OpenedStream, StreamHeader } from "./options.ts";
import { Streams } from "./streams.ts";
import { WriteGate } from "./write_gate.ts";

/** Makes the hub's side of all links. Nothing runs before `run`. */
export function createHub(options: HubOptions): Hub {
  return new HubLinks(options);
}

const STREAM_PATH = /^\/v1\/stream\/([0-9a-f]{16,64})$/;

class HubLinks implements Hub, SessionHost {
  readonly options: HubOptions;
  readonly newId: () => string;
  readonly events = new EventRate();
  readonly gate: WriteGate;
  epoch = "";
  readonly #streams: Streams;
  readonly #log: Logger;
  /** Newest session of each node that has said hello, connected or waiting for its turn. */
  readonly #newest = new Map<string, NodeSession>();
  /** Sessions that are up. */
  readonly #up = new Map<string, NodeSession>();
  /** Ends of all sessions that have not ended. */
  readonly #ends = new Map<NodeSession, Promise<void>>();
  #view: HubView;
  #ready = Promise.withResolvers<void>();
  #anew = Promise.withResolvers<void>();
  #stopping = false;

  constructor(options: HubOptions) {
    this.options = options;
    this.#view = new HubView(options);
    this.newId = options.newId ?? randomId;
    this.#log = options.log;
    this.gate = new WriteGate(options);
    const { streamTag = "" } = options;
    this.#streams = new Streams({ ...options, newId: () => `${streamTag}${this.newId()}` });
    this.#ready.promise.catch(() => {});
  }

  get view(): HubView {
    return this.#view;
  }

  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    if (this.#stopping) {
      // A second life, after the first one failed.
      this.#stopping = false;
      this.#view = new HubView(this.options);
      this.#ready = Promise.withResolvers();
      this.#ready.promise.catch(() => {});
      this.#anew = Promise.withResolvers();
    }
    try {
      // Before the view is complete, absence from it means nothing: sessions wait for this.
      const stopped = untilAborted(signal);
      await Promise.race([this.#view.synced, stopped]);
      const { history, store } = this.options;
      this.epoch = await (history ?? store).epoch();
      if (!signal.aborted) {
        this.#ready.resolve();
        ready();
      }
      await Promise.race([stopped, this.#anew.promise.then(throwAnew)]);
    } finally {
      this.#stopping = true;
      this.#ready.reject(new AppError("ServiceUnavailable", "the hub is stopping"));
      for (const session of this.#ends.keys()) session.link.close(CLOSE.stopping, "hub stopping");
      await Promise.all(this.#ends.values());
      this.#view[Symbol.dispose]();
    }
  }

  get draining(): boolean {
    return this.#stopping;
  }

  async drain(span: Ms): Promise<void> {
    this.#stopping = true;
    const { clock } = this.options;
    const all = [...this.#ends.keys()];
    const pause = ms(span / Math.max(1, all.length));
    for (const session of all) {
      session.link.close(CLOSE.stopping, "hub stopping");
      await sleep(clock, pause);
    }
    await Promise.all(this.#ends.values());
  }

  accept(connection: Connection, path: string): void {
    this.#accept(connection, path).catch((error) => {
      this.#log.error("connection failed", { node: connection.peer.name, error: errorText(error) });
      connection.close(CLOSE.stopping, "the hub cannot serve it now");
    });
  }

  nodes(): NodeLink[] {
    return [...this.#up.values()].map((session) => session.info());
  }

  node(name: string): NodeLink | undefined {
    return this.#up.get(name)?.info();
  }

  gone(node: string): AbortSignal | undefined {
    return this.#up.get(node)?.gone;
  }

  get streams(): number {
    return this.#streams.size;
  }

  beginAnew(): void {
    // From this turn on: what the view shows may be of the history that is no more, and a node that is
    // given it would lose it when the view learns better.
    this.#stopping = true;
    for (const session of this.#ends.keys()) session.link.close(CLOSE.stopping, "a new history");
    this.options.views.beginAnew();
    this.#anew.resolve();
  }

  tellServer(): void {
    for (const session of this.#ends.keys()) session.tellServer();
  }

  get unacked(): number {
    let sum = 0;
    for (const session of this.#up.values()) sum += session.unacked;
    return sum;
  }

  get followed(): number {
    return this.#view.followed;
  }

  takeStream(connection: Connection, id: string): boolean {
    return this.#streams.take(connection, id);
  }

  async recheck(node: string): Promise<void> {
    // All of them: a link that has not said hello yet is not the newest session of anything.
    const open = [...this.#ends.keys()].filter((session) => session.node === node);
    await Promise.all(open.map((session) => this.admit(session)));
  }

  async admit(session: NodeSession): Promise<boolean> {
    const verdict = await this.options.identities.check(session.link.peer);
    if (!verdict.ok) session.link.close(CLOSE.shutOut, verdict.reason);
    return verdict.ok;
  }

  async openStream(
    node: string,
    header: StreamHeader,
    signal: AbortSignal,
  ): Promise<OpenedStream> {
    const session = this.#up.get(node);
    if (!session) throw new AppError("ServiceUnavailable", `node ${node} is not connected`);
    const ask = (id: string): Promise<unknown> =>
      session.link.send({ t: "open", stream: id, header });
    // A session lives long and sees many streams: nothing of this one may stay with it.
    using either = linkSignals(signal, session.gone);
    return await this.#streams.open(node, ask, either.signal);
  }

  async takeTurn(session: NodeSession): Promise<void> {
    const older = this.#newest.get(session.node);
    this.#newest.set(session.node, session);
    if (older) {
      older.link.close(CLOSE.replaced, "a newer session of this node");
      await this.#ends.get(older);
    }
  }

  up(session: NodeSession): void {
    this.#up.set(session.node, session);
    this.options.observe?.sessionBegan();
    this.options.onLink?.(session.node);
  }

  async #accept(connection: Connection, path: string): Promise<void> {
    const stream = STREAM_PATH.exec(path)?.[1];
    if (path !== "/v1/link" && stream === undefined) {
      return connection.close(CLOSE.protocol, "no such path");
    }
    if (this.#stopping) return connection.close(CLOSE.stopping, "hub stopping");
    const verdict = await this.options.identities.check(connection.peer);
    if (!verdict.ok) {
      if (stream === undefined) this.options.observe?.sessionEnded(CLOSE.shutOut);
      return connection.close(CLOSE.shutOut, verdict.reason);
    }
    if (stream !== undefined) {
      if (this.#streams.take(connection, stream)) return;
      const { onForeignStream } = this.options;
      if (onForeignStream) return onForeignStream(connection, stream);
      return connection.close(CLOSE.protocol, "nobody waits for this stream");
    }
    await Promise.race([this.#ready.promise, connection.closed]);
    if (this.#stopping) return connection.close(CLOSE.stopping, "hub stopping");
    const session = new NodeSession(this, connection);
    const end = session.run().then(() => this.#ended(session));
    this.#ends.set(session, end);
    await end;
  }

  #ended(session: NodeSession): void {
    this.#ends.delete(session);
    if (this.#newest.get(session.node) === session) this.#newest.delete(session.node);
    if (this.#up.get(session.node) !== session) return;
    this.#up.delete(session.node);
    this.options.onLink?.(session.node);
  }
}

function throwAnew(): never {
  throw new AppError("ServiceUnavailable", "the history has changed: all is read anew");
}

function randomId(): string {
  return crypto.getRandomValues(new Uint8Array(16)).toHex();
}
