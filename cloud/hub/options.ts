import type { Clock, Logger, Ms, Random } from "../../core/base/mod.ts";
import type { Views } from "../../core/control/mod.ts";
import type { Connection, Peer, Stream } from "../../core/link/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import type { Hello, KubeletEndpoint } from "../../core/sync/mod.ts";
import type { WriteGateOptions } from "./write_gate.ts";

/** Whether a node's certificate is still its identity. */
export type Verdict = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** What came of an intent: written, refused for good, or to be sent again. */
export type IntentOutcome = "applied" | "refused" | "retried";

/** Who counts what happens on the links. */
export interface HubObserver {
  /** A session has come up. */
  sessionBegan(): void;
  /** A session has ended, or a connection that was to be one, with a code of `CLOSE`. */
  sessionEnded(code: number): void;
  /** An intent has its answer; `kind` is what the node wrote. */
  intent(kind: string, outcome: IntentOutcome, took: Ms): void;
}

/** Options of `createHub`. */
export interface HubOptions {
  /** Where the hub reads and writes as itself. */
  readonly store: Store;
  /** What the hub sees of the cluster. Whoever makes them runs them, before the hub. */
  readonly views: Views;
  /** Where a node's own objects are written, and what it alone may read is read. @default {`store`} */
  readonly storeOf?: ((node: string) => Store) | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** This hub's version, told to the nodes. */
  readonly version: string;
  /** Asked for each session, each stream and, `strict`, before a Node object is made. */
  readonly identities: {
    check(
      peer: Peer,
      options?: { readonly strict?: boolean; readonly nodeUid?: string | undefined },
    ): Promise<Verdict>;
  };
  /** Answers calls of nodes (`renew`). Absent: all are refused. */
  readonly onCall?: (
    peer: Peer,
    method: string,
    body: unknown,
    signal: AbortSignal,
  ) => Promise<unknown>;
  /** Told when a node's session begins or has ended; look it up with `node(name)`. */
  readonly onLink?: (node: string) => void;
  /** @default {LINK.heartbeat} */
  readonly heartbeat?: Ms;
  /** Where an API server finds the kubelet of a node that is connected. @default {nowhere} */
  readonly kubelet?: (node: string) => KubeletEndpoint | undefined;
  /** Keeps the epoch, and looks at what nodes have seen. @default {the store's epoch, for good} */
  readonly history?: {
    epoch(): Promise<string>;
    /** @throws {AppError} when it cannot be told */
    check(node: string, hello: Pick<Hello, "seen" | "proof">): Promise<void>;
    /** For a node, to be given back in `hello`. */
    prove(epoch: string, version: string): string;
  };
  /** @default {it always does} */
  readonly probe?: WriteGateOptions["probe"];
  /** Whether the API server that pods of nodes ask is away. @default {it never is} */
  readonly serverAway?: (() => boolean) | undefined;
  /** Takes a stream that a node dialled here and another hub waits for. @default {it is refused} */
  readonly onForeignStream?: (connection: Connection, id: string) => void;
  /** @default {nobody counts} */
  readonly observe?: HubObserver;
  /** What ids of streams begin with: hex digits that tell this hub from others. @default {""} */
  readonly streamTag?: string;
  /** Makes unguessable ids, 32 hex digits. @default {128 bits from `crypto`} */
  readonly newId?: () => string;
}

/** A node that is connected now. */
export interface NodeLink {
  readonly node: string;
  /** Id of the session. */
  readonly session: string;
  /** Wall clock. */
  readonly connectedAt: Ms;
  /** Wall clock; when anything was last heard of it. */
  readonly lastSeen: Ms;
  /** Changes when the agent restarts. */
  readonly bootId: string;
  /** Version of the agent. */
  readonly agent: string;
  readonly peer: Peer;
}

/** What a stream is for; `kind` is `logs`, `exec`, ... (docs/protocol.md 6). */
export interface StreamHeader {
  readonly kind: string;
  readonly [field: string]: unknown;
}

/** A stream that a node serves, and what it says of the bytes. */
export interface OpenedStream extends Stream {
  /** The fields of the node's answer, e.g. `status` (docs/protocol.md 6). Not to be trusted. */
  readonly head: Readonly<Record<string, unknown>>;
}

/** The hub's side of all links. */
export interface Hub {
  /** Runs until `signal` aborts, then ends all sessions with 4503 and waits for their intents. */
  run(signal: AbortSignal, ready: () => void): Promise<void>;
  /**
   * Sends all nodes away, evenly over `span`, so that not all dial other hubs at once, and takes none
   * any more. Resolves when all have gone. For the end: nothing takes nodes again.
   */
  drain(span: Ms): Promise<void>;
  /** Whether it takes no nodes any more. */
  readonly draining: boolean;
  /** Takes a connection for a stream that this hub has asked a node for; false when it has not. */
  takeStream(connection: Connection, id: string): boolean;
  /** Takes a connection of a verified peer; never throws, whatever the peer does. */
  accept(connection: Connection, path: string): void;
  /** The nodes that are connected now. */
  nodes(): NodeLink[];
  node(name: string): NodeLink | undefined;
  /** Aborts when the session ends that is up with this node. */
  gone(node: string): AbortSignal | undefined;
  /**
   * Another epoch holds from now on: all sessions end at once, and {@linkcode run} ends with an error.
   * Its next life reads everything anew before it takes a node.
   */
  beginAnew(): void;
  /** `serverAway` has changed: all nodes are told. */
  tellServer(): void;
  /** The identity of this node may have changed: its session ends with 4403 when it is shut out. */
  recheck(node: string): Promise<void>;
  /**
   * Opens a stream to a node, within 10 s.
   *
   * @throws {AppError} ServiceUnavailable when the node is not connected or goes away, Timeout when
   * it does not dial, TooManyRequests, and what the node answers
   */
  openStream(node: string, header: StreamHeader, signal: AbortSignal): Promise<OpenedStream>;
  /** How many streams are open or expected, of all nodes. */
  readonly streams: number;
  /** How many messages nodes have not committed yet, of all nodes. */
  readonly unacked: number;
  /** How many objects are followed by name. */
  readonly followed: number;
}
