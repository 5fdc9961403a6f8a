import { AppError, type Clock, ms } from "../base/mod.ts";
import { frameSize } from "./codec.ts";
import {
  CLOSE,
  type Closed,
  type Connection,
  type Dialer,
  type Frame,
  LINK,
  type Peer,
} from "./link.ts";

/** What a node shows the hub, and by what it knows the hub. All PEM. */
export interface Credentials {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Options of {@linkcode createWsDialer}. */
export interface WsDialerOptions {
  /** `host:port` of the hub. */
  readonly hub: string;
  /** Asked for each dial, so that a renewed certificate is used for the next connection. */
  readonly credentials: () => Credentials;
  readonly clock: Clock;
}

/** A dialer that holds TLS state; dispose it when the link has ended. */
export interface WsDialer extends Dialer, Disposable {}

/** Bytes in the socket's buffer above which `send` waits. */
const HIGH_WATER = 256 * 1024;
/** The built-in WebSocket has no drain event: how often its buffer is looked at while it is full. */
const POLL = ms(5);

/** A dialer over the built-in WebSocket with a client certificate. It loads no npm package. */
export function createWsDialer(options: WsDialerOptions): WsDialer {
  let client: Deno.HttpClient | undefined;
  let used: Credentials | undefined;
  const clientFor = (credentials: Credentials): Deno.HttpClient => {
    if (client && used?.cert === credentials.cert && used.ca === credentials.ca) return client;
    client?.close();
    used = credentials;
    client = Deno.createHttpClient({
      caCerts: [credentials.ca],
      cert: credentials.cert,
      key: credentials.key,
    });
    return client;
  };
  return {
    async dial(path, signal) {
      signal.throwIfAborted();
      const socket = new WebSocket(`wss://${options.hub}${path}`, {
        client: clientFor(options.credentials()),
      });
      const peer = { name: "hub", fingerprint: "", remote: options.hub };
      const connection = new SocketConnection(socket, peer, options.clock);
      const onAbort = (): void => socket.close();
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        await connection.opened;
      } catch (error) {
        throw signal.aborted ? signal.reason : error;
      } finally {
        signal.removeEventListener("abort", onAbort);
      }
      return connection;
    },
    [Symbol.dispose]() {
      client?.close();
      client = undefined;
    },
  };
}

/**
 * The built-in WebSocket writes the head of a longer frame by itself, and its socket has Nagle's
 * algorithm on (Deno 2.9.6, seen with strace): the rest leaves when the head is acknowledged.
 */
const HELD_ABOVE = 1000;

class SocketConnection implements Connection {
  readonly peer: Peer;
  readonly heldAbove = HELD_ABOVE;
  readonly closed: Promise<Closed>;
  readonly opened: Promise<void>;
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #resolveClosed: (closed: Closed) => void;
  #inbox: Frame[] = [];
  #inboxBytes = 0;
  #reader: ((frame: Frame | undefined) => void) | undefined;
  #over = false;

  constructor(socket: WebSocket, peer: Peer, clock: Clock) {
    const closed = Promise.withResolvers<Closed>();
    const opened = Promise.withResolvers<void>();
    this.closed = closed.promise;
    this.opened = opened.promise;
    this.#resolveClosed = closed.resolve;
    this.#socket = socket;
    this.#clock = clock;
    this.peer = peer;
    socket.binaryType = "arraybuffer";
    let text = "";
    socket.onopen = () => opened.resolve();
    socket.onmessage = (event) => this.#arrive(event.data);
    socket.onerror = (event) => text = (event as ErrorEvent).message ?? "";
    socket.onclose = (event) => {
      opened.reject(refused(peer.remote, text));
      this.#end({ code: event.code || CLOSE.broken, reason: event.reason || text });
    };
  }

  async send(frame: Frame): Promise<void> {
    const size = frameSize(frame);
    if (size > LINK.frameCap) {
      throw new AppError(
        "RequestEntityTooLarge",
        `frame of ${size} bytes, at most ${LINK.frameCap}`,
      );
    }
    const socket = this.#socket;
    if (this.#over || socket.readyState !== WebSocket.OPEN) throw unavailable();
    socket.send(frame);
    while (socket.bufferedAmount > HIGH_WATER && !this.#over) {
      await new Promise<void>((resolve) => this.#clock.timer(POLL, resolve));
    }
    if (this.#over) throw unavailable();
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
    // A client may not send the reserved codes (RFC 6455 7.4.2).
    const allowed = code === CLOSE.bye || code >= 3000 ? code : CLOSE.protocol;
    this.#socket.close(allowed, shorten(reason));
    this.#end({ code, reason });
  }

  #arrive(data: string | ArrayBuffer): void {
    if (this.#over) return;
    const frame = typeof data === "string" ? data : new Uint8Array(data);
    if (frameSize(frame) > LINK.frameCap) {
      return this.close(CLOSE.tooLarge, "frame over the cap");
    }
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader) return reader(frame);
    this.#inbox.push(frame);
    this.#inboxBytes += frame.length;
    if (this.#inboxBytes > LINK.unreadBytes) {
      this.close(CLOSE.protocol, "more bytes than the windows allow");
    }
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

/** A close reason has at most 123 bytes of UTF-8 (RFC 6455 5.5). */
function shorten(reason: string): string {
  let text = reason.slice(0, 120);
  while (new TextEncoder().encode(text).byteLength > 120) text = text.slice(0, -8);
  return text;
}

function refused(hub: string, text: string): AppError {
  const code = /\b401\b/.test(text)
    ? "Unauthorized"
    : /\b403\b/.test(text)
    ? "Forbidden"
    : undefined;
  return new AppError(code ?? "ServiceUnavailable", `cannot reach the hub at ${hub}: ${text}`);
}

function unavailable(): AppError {
  return new AppError("ServiceUnavailable", "the connection is closed");
}
