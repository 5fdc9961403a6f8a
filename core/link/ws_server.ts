import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
// @ts-types="@types/ws"
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { AppError, isAppError } from "../base/mod.ts";
import { frameSize } from "./codec.ts";
import {
  type Acceptor,
  CLOSE,
  type Closed,
  type Connection,
  type Frame,
  LINK,
  type Peer,
} from "./link.ts";

/** Bytes in the socket's buffer above which `send` waits. */
const HIGH_WATER = 256 * 1024;
/** Accepts WebSockets on a server that somebody else runs. */
export interface WsAcceptor extends Acceptor {
  /**
   * Call from the server's `upgrade` event, once the caller has verified the peer's certificate
   * (docs/protocol.md section 1): the identity is `peer` and nothing that the request says.
   */
  upgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array, peer: Peer): void;
  /** Ends every connection. */
  close(code: number, reason: string): void;
}

/** Makes a {@linkcode WsAcceptor}. Frames over `LINK.frameCap` are refused before they are read. */
export function createWsAcceptor(): WsAcceptor {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: LINK.frameCap,
    perMessageDeflate: false,
  });
  const open = new Set<WsConnection>();
  let handler: ((connection: Connection, path: string) => void) | undefined;
  return {
    onConnection(next) {
      handler = next;
    },
    upgrade(request, socket, head, peer) {
      // Without a listener, a socket that fails during the handshake would end the process.
      socket.on("error", () => socket.destroy());
      server.handleUpgrade(request, socket, head as typeof head & Buffer, (ws) => {
        const connection = new WsConnection(ws, peer);
        open.add(connection);
        void connection.closed.then(() => open.delete(connection));
        const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
        try {
          if (!handler) throw new AppError("ServiceUnavailable", "nobody accepts connections");
          handler(connection, path);
        } catch (error) {
          const code = isAppError(error, "Forbidden") ? CLOSE.shutOut : CLOSE.stopping;
          connection.close(code, error instanceof Error ? error.message : "refused");
        }
      });
    },
    close(code, reason) {
      for (const connection of [...open]) connection.close(code, reason);
    },
  };
}

class WsConnection implements Connection {
  readonly peer: Peer;
  readonly closed: Promise<Closed>;
  readonly #socket: WebSocket;
  readonly #resolveClosed: (closed: Closed) => void;
  #inbox: Frame[] = [];
  #inboxBytes = 0;
  #reader: ((frame: Frame | undefined) => void) | undefined;
  #over = false;

  constructor(socket: WebSocket, peer: Peer) {
    const { promise, resolve } = Promise.withResolvers<Closed>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    this.#socket = socket;
    this.peer = peer;
    socket.on("message", (data, isBinary) => this.#arrive(data, isBinary));
    // ws closes by itself after an error, with 1009 for a frame over the cap.
    socket.on("error", (error) => this.#failed(error));
    socket.on("close", (code, reason) => this.#end({ code, reason: reason.toString() }));
  }

  send(frame: Frame): Promise<void> {
    const size = frameSize(frame);
    if (size > LINK.frameCap) {
      return Promise.reject(
        new AppError(
          "RequestEntityTooLarge",
          `frame of ${size} bytes, at most ${LINK.frameCap}`,
        ),
      );
    }
    const socket = this.#socket;
    if (this.#over || socket.readyState !== socket.OPEN) return Promise.reject(unavailable());
    if (socket.bufferedAmount + size <= HIGH_WATER) {
      socket.send(frame, ignore);
      return Promise.resolve();
    }
    return new Promise((resolve, reject) =>
      socket.send(frame, (error) => error ? reject(unavailable(error)) : resolve())
    );
  }

  receive(): Promise<Frame | undefined> {
    const frame = this.#inbox.shift();
    if (frame !== undefined) {
      this.#inboxBytes -= frame.length;
      return Promise.resolve(frame);
    }
    if (this.#over) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#reader = resolve);
  }

  close(code: number, reason: string): void {
    if (this.#over) return;
    this.#inbox = [];
    this.#socket.close(code, reason.slice(0, 120));
    this.#end({ code, reason });
  }

  #arrive(data: RawData, isBinary: boolean): void {
    if (this.#over) return;
    const bytes = data as Uint8Array<ArrayBuffer>;
    // A copy: ws gives slices of a shared pool, and a consumer may keep them.
    const frame = isBinary ? new Uint8Array(bytes) : bytes.toString();
    const reader = this.#reader;
    if (reader) {
      this.#reader = undefined;
      return reader(frame);
    }
    this.#inbox.push(frame);
    this.#inboxBytes += frame.length;
    // Pausing would not help: a paused TLS socket goes on reading into memory (docs/protocol.md 6).
    if (this.#inboxBytes > LINK.unreadBytes) {
      this.close(CLOSE.protocol, "more bytes than the windows allow");
      this.#socket.terminate();
    }
  }

  #failed(error: Error & { code?: string }): void {
    const large = error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";
    this.#end({ code: large ? CLOSE.tooLarge : CLOSE.broken, reason: error.message });
  }

  #end(closed: Closed): void {
    if (this.#over) return;
    this.#over = true;
    this.#resolveClosed(closed);
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.(undefined);
  }
}

/** A failed write is told by `closed`. */
function ignore(): void {}

function unavailable(cause?: unknown): AppError {
  return new AppError("ServiceUnavailable", "the connection is closed", { cause });
}
