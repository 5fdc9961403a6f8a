import { type Node, RESOURCES } from "../../core/api/mod.ts";
import {
  AppError,
  type Clock,
  deadline,
  errorText,
  hours,
  type Logger,
  type NodeName,
} from "../../core/base/mod.ts";
import {
  CLOSE,
  type Connection,
  createStream,
  createWsDialer,
  type Dialer,
  LINK,
  type Stream,
} from "../../core/link/mod.ts";
import {
  createKey,
  type Credential,
  HUB_NAME,
  issueCertificate,
  loadKeyPair,
  renewAt,
} from "../../core/pki/mod.ts";
import { findObject, type Store } from "../../core/store/mod.ts";
import type { HubCa } from "../../core/tokens/mod.ts";
import { type Hub, type OpenedStream, readStreamHead, type StreamHeader } from "../hub/mod.ts";
import type { Presence } from "./presence.ts";

/** The group of hubs, in the certificates by which they know each other. */
export const HUBS_GROUP = "skerry:hubs";
/**
 * The paths of replicas at each other: to be given a stream to a node, and to pass on one that the
 * node has dialled at the wrong hub.
 */
export const PEER_PATH = /^\/v1\/peer\/([a-z0-9][a-z0-9.-]{0,62})(?:\/([0-9a-f]{16,64}))?$/;

/**
 * What this hub did for a stream between two: it asked the other for it, or served it to the other;
 * it forwarded one that was the other's, or took one that the other had forwarded.
 */
export type PassedStream = "asked" | "served" | "forwarded" | "taken";

/** Options of {@linkcode Peers}. */
export interface PeersOptions {
  readonly hub: Hub;
  readonly store: Pick<Store, "get">;
  readonly presence: Presence;
  readonly ca: HubCa;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of every stream between two hubs that came about. */
  readonly onPassed?: (what: PassedStream) => void;
}

const LIFETIME = hours(24);
/** Characters of the first message of a stream that is passed on. */
const HEADER_CAP = 64 * 1024;

/** Streams to nodes whose link another replica holds: that one opens them, this one passes bytes on. */
export class Peers {
  readonly #options: PeersOptions;
  #credential: Credential | undefined;

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  /**
   * Opens a stream to a node, wherever its link is.
   *
   * @throws {AppError} as `Hub.openStream`
   */
  async openStream(
    node: NodeName,
    header: StreamHeader,
    signal: AbortSignal,
  ): Promise<OpenedStream> {
    const { hub, presence } = this.#options;
    if (hub.node(node)) return await hub.openStream(node, header, signal);
    const address = await this.#addressOf(node);
    const holder = address === undefined ? undefined : presence.at(address);
    // Says that it is not connected.
    if (!holder) return await hub.openStream(node, header, signal);
    return await this.#ask(holder.peer, node, header, signal);
  }

  /**
   * A load balancer has brought a stream here that another replica waits for: its bytes are passed
   * on. Never throws.
   */
  passStream(connection: Connection, id: string): void {
    const node = connection.peer.name as NodeName;
    this.#pass(connection, node, id).catch((error) => {
      this.#options.log.warn("stream not passed on", { node, error: errorText(error) });
      connection.close(CLOSE.stopping, "the hub that waits for it cannot be reached");
    });
  }

  /** Serves another replica: one that asks for a stream, or passes one on. Never throws. */
  accept(connection: Connection, path: string): void {
    const [, node = "", id] = PEER_PATH.exec(path) ?? [];
    if (id !== undefined) {
      const dialled = ofNode(connection, node);
      if (this.#options.hub.takeStream(dialled, id)) return this.#options.onPassed?.("taken");
      return connection.close(CLOSE.protocol, "nobody waits for this stream");
    }
    this.#serve(connection, node as NodeName).catch((error) => {
      this.#options.log.warn("stream for another hub failed", { node, error: errorText(error) });
      connection.close(CLOSE.bye, "failed");
    });
  }

  /** Where the Node says that its kubelet is. */
  async #addressOf(node: NodeName): Promise<string | undefined> {
    const ref = { resource: RESOURCES.nodes, name: node };
    const found = await findObject(this.#options.store, ref) as Node | undefined;
    return found?.status?.addresses?.[0]?.address;
  }

  async #pass(connection: Connection, node: NodeName, id: string): Promise<void> {
    const { clock, presence } = this.#options;
    const replica = presence.ofStream(id);
    if (!replica) return connection.close(CLOSE.protocol, "nobody waits for this stream");
    using limit = deadline(
      clock,
      LINK.openTimeout,
      () => new AppError("Timeout", `hub ${replica.id} did not take the stream in time`),
    );
    const dialer = await this.#dialer(replica.peer);
    const other = await dialer.dial(`/v1/peer/${node}/${id}`, limit.signal);
    this.#options.onPassed?.("forwarded");
    await Promise.all([passFrames(connection, other), passFrames(other, connection)]);
  }

  async #dialer(peer: string): Promise<Dialer> {
    const { ca, clock } = this.#options;
    const { certificate, key } = await this.#proof();
    const credentials = { ca: ca.certificate, cert: certificate, key };
    return createWsDialer({ hub: peer, credentials: () => credentials, clock });
  }

  async #ask(
    peer: string,
    node: NodeName,
    header: StreamHeader,
    signal: AbortSignal,
  ): Promise<OpenedStream> {
    const { clock } = this.#options;
    const dialer = await this.#dialer(peer);
    using limit = deadline(
      clock,
      LINK.openTimeout,
      () => new AppError("Timeout", `the hub that holds node ${node} did not answer in time`),
      signal,
    );
    const connection = await dialer.dial(`/v1/peer/${node}`, limit.signal);
    const onAbort = (): void => connection.close(CLOSE.bye, "nobody waits any more");
    limit.signal.addEventListener("abort", onAbort, { once: true });
    try {
      await connection.send(JSON.stringify(header));
      const head = readStreamHead(node, await connection.receive());
      this.#options.onPassed?.("asked");
      return Object.assign(createStream(connection, { clock }), { head });
    } catch (error) {
      connection.close(CLOSE.bye, "not opened");
      throw limit.signal.aborted ? limit.signal.reason : error;
    } finally {
      limit.signal.removeEventListener("abort", onAbort);
    }
  }

  async #serve(connection: Connection, node: NodeName): Promise<void> {
    const { hub, clock } = this.#options;
    const gone = new AbortController();
    void connection.closed.then(() => gone.abort(new AppError("ServiceUnavailable", "it left")));
    const first = await connection.receive();
    if (first === undefined) return;
    let opened: OpenedStream;
    try {
      opened = await hub.openStream(node, readHeader(first), gone.signal);
    } catch (error) {
      const { code, message } = error instanceof AppError
        ? error
        : new AppError("InternalError", errorText(error));
      await connection.send(JSON.stringify({ ok: false, error: { code, message } }));
      connection.close(CLOSE.bye, "refused");
      return;
    }
    await connection.send(JSON.stringify({ ...opened.head, ok: true }));
    this.#options.onPassed?.("served");
    await passOn(createStream(connection, { clock }), opened);
  }

  /** This replica's client certificate, made anew in time. */
  async #proof(): Promise<Credential> {
    const { ca, clock } = this.#options;
    const known = this.#credential;
    if (known && clock.now() < renewAt(known.certificate)) return known;
    const key = await createKey();
    const certificate = await issueCertificate({
      ca,
      subject: { commonName: HUB_NAME, organizations: [HUBS_GROUP] },
      publicKey: (await loadKeyPair(key)).publicKey,
      use: "client",
      now: clock.now(),
      lifetime: LIFETIME,
    });
    return this.#credential = { certificate, key };
  }
}

/** @throws {AppError} BadRequest */
function readHeader(first: unknown): StreamHeader {
  try {
    if (typeof first === "string" && first.length <= HEADER_CAP) {
      const header = JSON.parse(first);
      if (typeof header?.kind === "string") return header;
    }
  } catch {
    // Refused below like every other header that is none.
  }
  throw new AppError("BadRequest", "the first message must be a stream's header");
}

/** A connection that another hub took over from a node: it counts as that node's. */
function ofNode(connection: Connection, node: string): Connection {
  return {
    peer: { ...connection.peer, name: node },
    send: (frame) => connection.send(frame),
    receive: () => connection.receive(),
    close: (code, reason) => connection.close(code, reason),
    closed: connection.closed,
  };
}

/** Frames one way, and how it ended. */
async function passFrames(from: Connection, to: Connection): Promise<void> {
  try {
    for (;;) {
      const frame = await from.receive();
      if (frame === undefined) break;
      await to.send(frame);
    }
  } catch {
    from.close(CLOSE.stopping, "the other side has gone");
  }
  const { code, reason } = await from.closed;
  to.close(code === CLOSE.broken ? CLOSE.stopping : code, reason);
}

/** Bytes both ways until both ends are done, or one breaks. */
async function passOn(a: Stream, b: Stream): Promise<void> {
  const half = async (from: Stream, to: Stream): Promise<void> => {
    try {
      await from.readable.pipeTo(to.writable);
    } catch {
      from.close("the other side has broken off");
      to.close("the other side has broken off");
    }
  };
  await Promise.all([half(a, b), half(b, a)]);
}
