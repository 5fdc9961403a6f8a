import type { Ms } from "../base/mod.ts";

/** Who is at the other end, from its verified certificate. */
export interface Peer {
  /** Node name for nodes, `hub` for the hub. */
  readonly name: string;
  /** SHA-256 of the certificate (hex); distinguishes a replaced identity. */
  readonly fingerprint: string;
  /** When the CA signed that, to the second. @default {it is not known} */
  readonly issuedAt?: Ms;
  readonly remote: string;
}

/** How a connection ended; codes are those of docs/protocol.md section 1. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** One message: text (session frames, stream control) or bytes. */
export type Frame = string | Uint8Array<ArrayBuffer>;

/**
 * An ordered, reliable, message-framed two-way connection with a frame cap. WebSocket (`ws.ts`) and
 * memory (`memory.ts`, for tests and `tests/sim`) fill it; QUIC will.
 */
export interface Connection {
  readonly peer: Peer;
  /** Sends; resolves when there is room for more (back-pressure). @throws {AppError} ServiceUnavailable when closed, RequestEntityTooLarge over the cap */
  send(frame: Frame): Promise<void>;
  /**
   * The next frame, or `undefined` when the connection has closed. Keep reading: a connection in
   * which more than `LINK.unreadBytes` wait may be ended (4400); windows, not TCP, slow a sender.
   */
  receive(): Promise<Frame | undefined>;
  /** Closes; idempotent. Frames not yet sent may be lost. */
  close(code: number, reason: string): void;
  /** Resolves when the connection has ended, from whichever side or by failure (code 1006). */
  readonly closed: Promise<Closed>;
}

/** The node's side: dials the hub. */
export interface Dialer {
  /**
   * `path` is `/v1/link` or `/v1/stream/<id>`. `onReached` is told when the hub's machine has taken the
   * connection, and the hub has said nothing yet.
   *
   * @throws {AppError} ServiceUnavailable, Unauthorized, Forbidden
   */
  dial(path: string, signal: AbortSignal, onReached?: () => void): Promise<Connection>;
}

/** The hub's side: hands over connections of verified peers. */
export interface Acceptor {
  /** Called for each connection with its path; a throw refuses it. */
  onConnection(handler: (connection: Connection, path: string) => void): void;
}

/** Default and limits of docs/protocol.md, in one place. */
export const LINK = {
  protocol: 1,
  heartbeat: 3_300 as Ms,
  missedHeartbeats: 3,
  /** Connections that a hub's port for nodes takes at once: each node holds one, and one a stream. */
  connections: 65_536,
  /** Bytes of one frame. */
  frameCap: 1024 * 1024,
  /** A message whose JSON is longer (bytes) goes as parts. */
  partSize: 512 * 1024,
  /** Bytes of a message joined from parts. */
  messageCap: 4 * 1024 * 1024,
  /** Nesting of a message's JSON. */
  depthCap: 100,
  /** Values in a message's JSON, so that a small frame cannot become a big heap. */
  valueCap: 400_000,
  windowMessages: 256,
  windowBytes: 1024 * 1024,
  intentWindow: 64,
  /** Messages that may wait for the reader of a session; more is a peer that ignores the windows. */
  inboxMessages: 1024,
  /** Bytes of JSON that may wait for the reader of a session. */
  inboxBytes: 8 * 1024 * 1024,
  /** Bytes of frames that may wait unread in a connection. */
  unreadBytes: 4 * 1024 * 1024,
  helloTimeout: 10_000 as Ms,
  callTimeout: 30_000 as Ms,
  /** Calls of one node that may run at once. */
  callsAtOnce: 8,
  openTimeout: 10_000 as Ms,
  redialBase: 200 as Ms,
  redialCap: 15_000 as Ms,
  /** The cap while the hub's machine answers that nobody listens: its hub may be back any moment. */
  redialRefusedCap: 3_000 as Ms,
  /** A dial that found nobody in this time is given up; a lost packet costs no more than that. */
  dialTimeout: 4_000 as Ms,
  /**
   * A hub whose machine was reached may take so long to answer. All its nodes may have come at once,
   * and who gives up too soon has cost it the work of a handshake for nothing, again and again.
   */
  answerTimeout: 20_000 as Ms,
  /** A dial that fails sooner was refused, not lost. */
  dialRefused: 1_000 as Ms,
  shutOutDelay: 60_000 as Ms,
  /** Bytes of one direction of a stream that the other side has not read yet. */
  streamWindow: 256 * 1024,
  /** Streams of one node that may be open at once. */
  streamsPerNode: 64,
} as const;

/** A byte stream in both directions with half-close. */
export interface Stream {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<Uint8Array<ArrayBuffer>>;
  /** Ends both directions at once. */
  close(reason: string): void;
  readonly closed: Promise<Closed>;
}

/** Close codes of docs/protocol.md section 1. */
export const CLOSE = {
  bye: 1000,
  broken: 1006,
  tooLarge: 1009,
  protocol: 4400,
  unauthorized: 4401,
  shutOut: 4403,
  heartbeat: 4408,
  replaced: 4409,
  version: 4426,
  stopping: 4503,
} as const;

/** One message of a session: a type and its fields. */
export interface Message {
  readonly t: string;
  readonly [field: string]: unknown;
}
