import type { AppError, Clock, Logger, Ms, Random } from "../../core/base/mod.ts";
import type { Dialer, Stream } from "../../core/link/mod.ts";
import type { LocalStore, Tx } from "../../core/store/mod.ts";
import type { NewIntent, Outbox, Removed, Result } from "../../core/sync/mod.ts";

/** A stream that the hub asks for. Exactly one of `accept` and `refuse` is called. */
export interface IncomingStream {
  /**
   * Says yes, with `head` for the hub's caller; the bytes begin.
   * @throws {AppError} ServiceUnavailable when the hub has left
   */
  accept(head?: StreamHead): Promise<Stream>;
  /** Says no; the hub's caller gets this error. */
  refuse(error: AppError): Promise<void>;
}

/** What a stream is for; `kind` is `logs`, `exec`, ... (docs/protocol.md 6). */
export interface StreamHeader {
  readonly kind: string;
  readonly [field: string]: unknown;
}

/** What the node says of the bytes that follow, e.g. `status` (docs/protocol.md 6). */
export type StreamHead = Readonly<Record<string, unknown>>;

/** What the agent's rooms do when the link tells them something. */
export interface LinkHandlers {
  /**
   * Serves a stream; resolves when it is done, which ends the stream after what was written. A throw
   * before `accept` is the answer, after it breaks the stream.
   */
  onOpen?(header: StreamHeader, incoming: IncomingStream, signal: AbortSignal): Promise<void>;
  /** The replica is complete: what it lacks does not exist for this node, as far as the hub knows. */
  onSynced?(how: Synced): void;
  /** The hub asks how the pods stand that the node makes itself: it has lost a mirror. */
  onReport?(): void;
  onState?(state: LinkState): void;
  /**
   * An object is gone for this node, as the hub said by itself or by a snapshot that lacks it after
   * a new join (docs/protocol.md 4.6); called in the transaction that removes it.
   */
  onDelete?(tx: Tx, removed: Removed): void;
  /** The hub refused an intent for good. */
  onRefused?(intent: NewIntent, refusal: Refusal): void;
}

/** Why the hub refused an intent for good. */
export interface Refusal extends Pick<NonNullable<Result["error"]>, "code" | "message"> {
  /** Whether it is worth telling people: of many of a key the first, one a minute later, one in ten. */
  readonly said: boolean;
}

/** How the replica came to be complete. */
export interface Synced {
  readonly epoch: string;
  /**
   * The hub's history is another one than the replica's was: what came from the old one is kept,
   * and absence from the new one is no reason to stop anything (docs/protocol.md 4.6).
   */
  readonly newEpoch: boolean;
}

/** How the link stands. */
export interface LinkState {
  readonly connected: boolean;
  /** Wall clock; since when it is so. */
  readonly since: Ms;
  /** Why it is not connected. */
  readonly lastError?: string;
  /** Close code of the last session. */
  readonly closeCode?: number;
  /** Whether the hub has said that its API server is away; of a link that is up. */
  readonly serverAway?: boolean;
  /** Whether the hub lets this node in no more until a person has it join again. */
  readonly shutOut?: boolean;
}

/** Options of `createLink`. */
export interface LinkOptions {
  readonly dialer: Dialer;
  readonly store: LocalStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** This node's name. */
  readonly node: string;
  /**
   * What a person does when the hub has shut this node out for `reason`, for the log.
   * @default {nothing said}
   */
  readonly joinAgain?: (reason: string) => string;
  /** This agent's version. */
  readonly version: string;
  /** Changes with every start of the agent. */
  readonly bootId: string;
  readonly handlers?: LinkHandlers;
  /** Before the hub has said its own. @default {LINK.heartbeat} */
  readonly heartbeat?: Ms;
}

/** The agent's side of the link. */
export interface Link {
  /** Keeps the link up until `signal` aborts. `ready` is called at once: a node works without a hub. */
  run(signal: AbortSignal, ready: () => void): Promise<void>;
  /** The network changed: redial at once, or make sure that the session still lives. */
  kick(): void;
  /** What the node has to tell the hub. */
  readonly outbox: Outbox;
  readonly state: LinkState;
  /** How many of the hub's messages have come and are not committed. */
  readonly uncommitted: number;
  /**
   * Calls the hub (`renew`).
   * @throws {AppError} ServiceUnavailable when not connected, and the hub's answer
   */
  call(method: string, body: unknown, signal?: AbortSignal): Promise<unknown>;
}
