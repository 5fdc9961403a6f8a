import type { Ms } from "../base/mod.ts";

/** Who is at the other end, from its verified certificate. */
export interface Peer {
  /** Node name for nodes, `hub` for the hub. */
  readonly name: string;
  /** SHA-256 of the certificate (hex); distinguishes a replaced identity. */
  readonly fingerprint: string;
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
  /** The next frame, or `undefined` when the connection has closed. */
  receive(): Promise<Frame | undefined>;
  /** Closes; idempotent. Frames not yet sent may be lost. */
  close(code: number, reason: string): void;
  /** Resolves when the connection has ended, from whichever side or by failure (code 1006). */
  readonly closed: Promise<Closed>;
}

/** The node's side: dials the hub. */
export interface Dialer {
  /** `path` is `/v1/link` or `/v1/stream/<id>`. @throws {AppError} ServiceUnavailable, Unauthorized, Forbidden */
  dial(path: string, signal: AbortSignal): Promise<Connection>;
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
  frameCap: 1024 * 1024,
  partSize: 512 * 1024,
  messageCap: 4 * 1024 * 1024,
  windowMessages: 256,
  windowBytes: 1024 * 1024,
  intentWindow: 64,
  openTimeout: 10_000 as Ms,
  redialBase: 200 as Ms,
  redialCap: 15_000 as Ms,
  shutOutDelay: 60_000 as Ms,
} as const;

/** A byte stream in both directions with half-close. */
export interface Stream {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<Uint8Array<ArrayBuffer>>;
  /** Ends both directions at once. */
  close(reason: string): void;
  readonly closed: Promise<Closed>;
}
