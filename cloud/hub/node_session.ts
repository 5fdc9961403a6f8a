import {
  AppError,
  deadline,
  errorText,
  isAppError,
  type Logger,
  type Ms,
} from "../../core/base/mod.ts";
import { CLOSE, type Connection, LINK, Session } from "../../core/link/mod.ts";
import {
  FromNode,
  type Hello,
  type HubView,
  type NodeView,
  type NodeWord,
  type ObjectKey,
  readMessage,
  Sender,
} from "../../core/sync/mod.ts";
import type { EventRate } from "./event_rate.ts";
import { HistoryWatch } from "./history_watch.ts";
import { IntentQueue } from "./intent_queue.ts";
import type { HubOptions, NodeLink } from "./options.ts";
import { OwnWord } from "./own_word.ts";
import type { WriteGate } from "./write_gate.ts";

/** What a {@linkcode NodeSession} needs of its hub. */
export interface SessionHost {
  readonly options: HubOptions;
  readonly view: HubView;
  readonly epoch: string;
  readonly newId: () => string;
  readonly events: EventRate;
  readonly gate: WriteGate;
  /** Waits until the node's older session has ended; call `release` at the end. */
  takeTurn(session: NodeSession): Promise<void>;
  /** Asks again whether the certificate is the node's identity; closes with 4403 when it is not. */
  admit(session: NodeSession): Promise<boolean>;
  /** The session is up: the node counts as connected. */
  up(session: NodeSession): void;
}

/** One session of one node, from `hello` to its end. */
export class NodeSession {
  readonly node: string;
  readonly id: string;
  readonly link: Session;
  /** Aborts when the session is over. */
  readonly gone: AbortSignal;
  readonly #host: SessionHost;
  readonly #connectedAt: Ms;
  readonly #log: Logger;
  #hello: Hello | undefined;
  #sender: Sender | undefined;
  #intents: IntentQueue | undefined;
  /** Whether the node was told that the API server is away; absent when it is not to be told yet. */
  #serverAway: boolean | undefined;
  /** What is to be said of the node's history; absent before the session is up. */
  #history: HistoryWatch | undefined;
  /** Finds what others write in the node's place; absent before the session is up. */
  #word: OwnWord | undefined;

  constructor(host: SessionHost, connection: Connection) {
    const { clock, heartbeat, log, onCall } = host.options;
    this.#host = host;
    this.node = connection.peer.name;
    this.id = host.newId();
    this.#connectedAt = clock.now();
    this.#log = log.with({ node: this.node, session: this.id });
    this.link = new Session({
      connection,
      clock,
      log: this.#log,
      heartbeat: heartbeat ?? LINK.heartbeat,
      // The node pings; its pings are answered.
      beatAfter: 1.5,
      ...(onCall
        ? { onCall: (method, body, signal) => onCall(connection.peer, method, body, signal) }
        : {}),
    });
    const gone = new AbortController();
    this.gone = gone.signal;
    void this.link.closed.then(() =>
      gone.abort(new AppError("ServiceUnavailable", `node ${this.node} went away`))
    );
  }

  /** What the hub shows of it. */
  info(): NodeLink {
    const { clock } = this.#host.options;
    return {
      node: this.node,
      session: this.id,
      connectedAt: this.#connectedAt,
      lastSeen: (clock.now() - (clock.monotonic() - this.link.lastHeard)) as Ms,
      bootId: this.#hello?.bootId ?? "",
      agent: this.#hello?.agent ?? "",
      peer: this.link.peer,
    };
  }

  /** How many messages the node has not committed yet. */
  get unacked(): number {
    return this.#sender?.unacked ?? 0;
  }

  /** Tells the node whether the API server is away, when it does not know. */
  tellServer(): void {
    const away = this.#isServerAway();
    if (this.#serverAway === undefined || this.#serverAway === away) return;
    this.#serverAway = away;
    if (!this.#hello?.features.includes("server")) return;
    this.link.send({ t: "server", away }).catch(() => {/* the next welcome says it */});
  }

  /** Runs until the session is over and its intents in progress have ended. Never throws. */
  async run(): Promise<void> {
    const { view } = this.#host;
    let nodeView: NodeView | undefined;
    try {
      const hello = await this.#readHello();
      await this.#host.takeTurn(this);
      // The hello may have come long after the connection was let in.
      if (await this.#host.admit(this)) {
        nodeView = view.attach(this.node, {
          changed: (keys) => {
            this.#sender?.changed(keys);
            this.#history?.changed(keys);
            this.#word?.changed(keys);
          },
          overruled: (key, version) => this.#word?.overruled(key, version),
        });
        await this.#serve(hello, nodeView);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#sender?.stop();
      nodeView?.[Symbol.dispose]();
      await this.#intents?.close();
      // The last intent may have told it what the node has said.
      this.#word?.[Symbol.dispose]();
    }
    const { code, reason } = await this.link.closed;
    this.#host.options.observe?.sessionEnded(code);
    this.#log.info("session over", { code, reason });
  }

  #isServerAway(): boolean {
    return this.#host.options.serverAway?.() ?? false;
  }

  #askForReport([object, ...more]: readonly ObjectKey[]): void {
    this.#log.info("others wrote what only the node can say: it is asked to tell again", {
      object,
      more: more.length,
    });
    this.link.send({ t: "report" }).catch(() => {/* it reports everything when it is back */});
  }

  async #readHello(): Promise<Hello> {
    const { clock } = this.#host.options;
    using _limit = deadline(clock, LINK.helloTimeout, () => {
      this.link.close(CLOSE.protocol, "no hello");
    });
    const first = await this.link.receive();
    if (!first) throw new AppError("ServiceUnavailable", "the session ended before hello");
    const hello = readMessage(FromNode, first);
    if (hello.t !== "hello") throw new AppError("BadRequest", "the first message must be hello");
    if (hello.protocol < LINK.protocol - 1) {
      this.link.close(CLOSE.version, `this hub speaks ${LINK.protocol} and one version before`);
      throw new AppError("ServiceUnavailable", `node speaks protocol ${hello.protocol}`);
    }
    return this.#hello = hello;
  }

  async #serve(hello: Hello, view: NodeView): Promise<void> {
    const { options } = this.#host;
    const { history } = options;
    // What was seen of another history tells nothing of this one. It may find that the epoch is a new
    // one; then this session is over.
    if (hello.epoch === this.#host.epoch) await history?.check(this.node, hello);
    const { epoch } = this.#host;
    const { clock } = options;
    const store = options.storeOf?.(this.node) ?? options.store;
    const sender = this.#sender = new Sender({
      view,
      store,
      send: (message) => this.link.send(message),
      clock,
      log: this.#log,
      ...(history ? { prove: (version) => history.prove(epoch, version) } : {}),
    });
    const same = hello.epoch === epoch && hello.digest !== undefined &&
      hello.digest === sender.digest();
    const serverAway = this.#isServerAway();
    const welcome = this.link.send({
      t: "welcome",
      protocol: Math.min(hello.protocol, LINK.protocol),
      hub: options.version,
      session: this.id,
      epoch,
      heartbeatMs: options.heartbeat ?? LINK.heartbeat,
      sync: same ? "same" : "have",
      serverTime: clock.now(),
      ...(serverAway ? { serverAway } : {}),
    });
    // In the turn of the digest, and after the welcome has gone out.
    if (same) sender.startSame();
    await welcome;
    this.#host.up(this);
    this.#serverAway = serverAway;
    this.tellServer();
    this.#history = new HistoryWatch({
      node: this.node,
      epoch,
      awaiting: (hello.kept ?? 0) > 0 || (hello.epoch !== undefined && hello.epoch !== epoch),
      view,
      store,
      clock,
      log: this.#log,
      signal: this.gone,
      prune: () => hello.features.includes("prune") ? this.link.send({ t: "prune" }) : undefined,
    });
    this.#history.look();
    this.#word = new OwnWord({
      ...{ node: this.node, view, clock },
      kubelet: () => options.kubelet?.(this.node),
      ask: (about) => this.#askForReport(about),
    });
    this.#log.info("session up", { agent: hello.agent, sync: same ? "same" : "have" });
    await this.#loop(sender, same, view);
  }

  async #loop(sender: Sender, same: boolean, view: NodeView): Promise<void> {
    let started = same;
    const intents = this.#intents = new IntentQueue({
      context: () => this.#context(view),
      gate: this.#host.gate,
      signal: this.gone,
      clock: this.#host.options.clock,
      observe: this.#host.options.observe,
      answer: (result) => this.link.send(result),
      log: this.#log,
    });
    for (;;) {
      const message = await this.link.receive();
      if (!message) return;
      const read = readMessage(FromNode, message);
      switch (read.t) {
        case "hello":
          throw new AppError("BadRequest", "a second hello");
        case "have":
          // A repeated one changes nothing: what it said is known.
          if (!started) sender.startHave(read.items);
          started = true;
          break;
        case "ack":
          if (!sender.ack(read.seq)) throw new AppError("BadRequest", `ack of ${read.seq}`);
          break;
        case "intent":
          if (!intents.add(read)) throw new AppError("BadRequest", "more intents than the window");
      }
    }
  }

  #context(view: NodeView) {
    const { identities, kubelet, store, storeOf, clock } = this.#host.options;
    return {
      node: this.node,
      store: storeOf?.(this.node) ?? store,
      own: store,
      now: clock.now(),
      mayHave: (key: string) => view.has(key),
      seen: (key: string) => view.object(key),
      wrote: (key: string, version: string) => this.#word?.wrote(key, version),
      takeEventBytes: (bytes: number) =>
        this.#host.events.take(this.node, bytes, clock.monotonic()),
      checkIdentity: async (nodeUid?: string) => {
        const verdict = await identities.check(this.link.peer, { strict: true, nodeUid });
        if (verdict.ok) return;
        this.link.close(CLOSE.shutOut, verdict.reason);
        throw new AppError("Forbidden", verdict.reason);
      },
      ...(kubelet ? { kubelet: () => kubelet(this.node) } : {}),
      said: (word: NodeWord) => this.#word?.said(word),
    };
  }

  #fail(error: unknown): void {
    if (isAppError(error, "ServiceUnavailable")) {
      return this.link.close(CLOSE.stopping, "the hub cannot serve it now");
    }
    if (isAppError(error, "BadRequest", "RequestEntityTooLarge")) {
      this.#log.warn("node broke the protocol", { error: errorText(error) });
      return this.link.close(CLOSE.protocol, error.message);
    }
    this.#log.error("session failed", { error: errorText(error) });
    this.link.close(CLOSE.stopping, "the hub failed");
  }
}
