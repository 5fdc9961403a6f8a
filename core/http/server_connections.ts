import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { AppError, type Clock, errorText, type Logger, type Ms, seconds } from "../base/mod.ts";
import { toRequest, writeResponse } from "./adapter.ts";
import { peerOf } from "./peer.ts";
import { PerAddress } from "./per_address.ts";
import { errorResponse } from "./status.ts";
import { type StrangerLimits, Strangers } from "./strangers.ts";
import type { ConnectionInfo, Handler, PeerCertificate } from "./types.ts";
import { SocketUpgrade } from "./upgrade.ts";

type Server = HttpServer | HttpsServer;

/** How a server treats its connections. */
export interface ConnectionsOptions {
  /** PEM certificates that sign clients. Without it no client is asked for a certificate. */
  readonly clientCa?: string;
  readonly handler: Handler;
  /**
   * Takes over a connection that asks for another protocol, and must end the socket itself. Without
   * it such requests go to `handler`, with `info.upgrade`.
   */
  readonly onUpgrade?: (
    message: IncomingMessage,
    socket: Duplex,
    head: Uint8Array,
    info: ConnectionInfo,
  ) => void;
  readonly clock: Clock;
  readonly log: Logger;
  /** Stops the server: no new connections, requests under way are aborted. */
  readonly signal: AbortSignal;
  /** Longest time for TLS, for the head of a request, and between two requests. @default {10 s, 10 s, 75 s} */
  readonly timeouts?: { readonly handshake?: Ms; readonly head?: Ms; readonly idle?: Ms };
  /** Connections at once. @default {4096} */
  readonly maxConnections?: number;
  /** Connections at once from one address. @default {as many as there may be} */
  readonly maxPerAddress?: number;
  /** For connections without a client's certificate, beside all else. @default {none} */
  readonly strangers?: StrangerLimits;
  /**
   * Whether a connection from `remote` to `local` (IPv4 as such) is taken. Asked before TLS and
   * before a byte is read; the others are closed without a word. @default {all of them}
   */
  readonly admits?: (remote: string, local: string) => boolean;
}

/** What was under way gets this long to see its abort and write its last bytes. */
const STOP_GRACE = seconds(1);
/** Bytes of a request's head: the command of an exec stands in its query, with its scripts. */
const HEAD_CAP = 64 * 1024;
/** The rest of a body that nobody has read gets this long to come, after the answer. */
const REST_GRACE = seconds(1);

/** The limits that node's servers are made with. */
export function limitsOf({ timeouts }: Pick<ConnectionsOptions, "timeouts">): {
  readonly headersTimeout: Ms;
  readonly requestTimeout: Ms;
  readonly keepAliveTimeout: Ms;
  readonly connectionsCheckingInterval: number;
  readonly maxHeaderSize: number;
} {
  return {
    headersTimeout: timeouts?.head ?? seconds(10),
    // Large bodies over slow links are fine; `bodyBytes` caps them and a stalled client is cut by this.
    requestTimeout: seconds(120),
    keepAliveTimeout: timeouts?.idle ?? seconds(75),
    connectionsCheckingInterval: 1000,
    maxHeaderSize: HEAD_CAP,
  };
}

/**
 * Listens. Returns the port.
 *
 * @throws {AppError} AlreadyExists when the port is taken, ServiceUnavailable when the address is
 * not there, naming it
 */
export function listen(server: Server, hostname: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (cause: Error & { code?: string }): void => {
      server.removeListener("error", onError);
      const why = cause.code === "EADDRINUSE"
        ? "the port is taken: stop what listens there or choose another port"
        : errorText(cause);
      const code = cause.code === "EADDRINUSE" ? "AlreadyExists" : "ServiceUnavailable";
      reject(new AppError(code, `Cannot listen on ${hostname}:${port}: ${why}`, { cause }));
    };
    server.once("error", onError);
    server.listen(port, hostname, () => {
      server.removeListener("error", onError);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}

/** The connections of one server and what runs on them. */
export class Connections {
  readonly #server: Server;
  readonly #options: ConnectionsOptions;
  readonly #sockets = new Set<Socket>();
  readonly #perAddress = new PerAddress();
  readonly #requests = new Set<AbortController>();
  readonly #strangers: Strangers | undefined;

  constructor(server: Server, options: ConnectionsOptions) {
    this.#server = server;
    this.#options = options;
    if (options.strangers) this.#strangers = new Strangers(options.strangers, options.clock);
    server.maxConnections = options.maxConnections ?? 4096;
    // Before the server's own listener, which begins TLS.
    server.prependListener("connection", (socket: Socket) => this.#arrive(socket));
    server.on("secureConnection", (socket: TLSSocket) => this.#secured(socket));
    server.on("tlsClientError", (_error: Error, socket: Socket) => socket.destroy());
    server.on("clientError", (error: Error, socket: Socket) => this.#badClient(error, socket));
    server.on(
      "request",
      (message: IncomingMessage, out: ServerResponse) => void this.#request(message, out),
    );
    server.on(
      "upgrade",
      (message: IncomingMessage, socket: Duplex, head: Uint8Array) =>
        this.#upgrade(message, socket, head),
    );
    server.on("error", (error: Error) => options.log.error("server failed", { error }));
  }

  /** Resolves when the server was told to stop and every connection is closed. */
  async untilStopped(): Promise<void> {
    const { signal, clock } = this.#options;
    if (!signal.aborted) {
      await new Promise<void>((resolve) =>
        signal.addEventListener("abort", () => resolve(), { once: true })
      );
    }
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const request of this.#requests) request.abort(signal.reason);
    this.#server.closeIdleConnections();
    const cut = (): void => this.#sockets.forEach((socket) => void socket.destroy());
    using _grace = clock.timer(this.#requests.size > 0 ? STOP_GRACE : (0 as Ms), cut);
    await closed;
    cut();
  }

  #arrive(socket: Socket): void {
    this.#track(socket);
    const { admits, maxPerAddress = Infinity } = this.#options;
    const remote = plainAddress(socket.remoteAddress);
    const isFull = this.#perAddress.of(remote) >= maxPerAddress;
    if (isFull || admits?.(remote, plainAddress(socket.localAddress)) === false) {
      return void socket.destroy();
    }
    this.#perAddress.add(socket, remote);
  }

  #secured(socket: TLSSocket): void {
    this.#track(socket);
    if (this.#strangers === undefined || this.#peer(socket)) return;
    this.#strangers.arrive(socket, plainAddress(socket.remoteAddress));
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    // A connection reset is everyday; without a listener it would end the process.
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#sockets.delete(socket));
  }

  #badClient(error: Error & { code?: string }, socket: Socket): void {
    if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
    const [code, text] = error.code === "ERR_HTTP_REQUEST_TIMEOUT"
      ? [408, "Request Timeout"]
      : error.code === "HPE_HEADER_OVERFLOW"
      ? [431, "Request Header Fields Too Large"]
      : [400, "Bad Request"];
    socket.end(`HTTP/1.1 ${code} ${text}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    socket.destroySoon();
  }

  #peer(socket: TLSSocket): PeerCertificate | undefined {
    const { clientCa, clock } = this.#options;
    return clientCa === undefined ? undefined : peerOf(socket, clientCa, clock.now());
  }

  #info(socket: TLSSocket, signal: AbortSignal): ConnectionInfo {
    const peer = this.#peer(socket);
    const remote = plainAddress(socket.remoteAddress);
    return {
      signal,
      ...(peer ? { peer } : {}),
      ...(remote === "" ? {} : { remote }),
    };
  }

  async #request(message: IncomingMessage, out: ServerResponse): Promise<void> {
    const gone = new AbortController();
    this.#requests.add(gone);
    out.once("close", () => {
      this.#requests.delete(gone);
      if (!out.writableFinished) gone.abort(new Error("the client went away"));
    });
    out.on("error", () => out.destroy());
    message.on("error", () => {});
    try {
      const info = this.#info(message.socket as TLSSocket, gone.signal);
      let request: Request | undefined;
      const response = await this.#answer(() => request = toRequest(message, gone.signal), info);
      await writeResponse(response, out, message.method === "HEAD");
      await this.#dropRest(message, request?.body);
    } catch (error) {
      this.#options.log.error("answer failed", { error: errorText(error), url: message.url });
      out.destroy();
    }
  }

  async #answer(request: () => Request, info: ConnectionInfo): Promise<Response> {
    try {
      return await this.#options.handler(request(), info);
    } catch (error) {
      return errorResponse(error);
    }
  }

  /** Whoever has its answer and goes on with its body must not hold the connection by that. */
  async #dropRest(message: IncomingMessage, body: Request["body"] = null): Promise<void> {
    if (message.complete || message.socket.destroyed) return;
    const limit = this.#options.clock.timer(REST_GRACE, () => void message.socket.destroy());
    for (const end of ["end", "close"]) message.once(end, () => limit[Symbol.dispose]());
    if (body === null) message.resume();
    else if (!body.locked) await body.cancel();
  }

  #upgrade(message: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    const gone = new AbortController();
    this.#requests.add(gone);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      this.#requests.delete(gone);
      gone.abort(new Error("the client went away"));
    });
    const info = this.#info(socket as TLSSocket, gone.signal);
    const { onUpgrade } = this.#options;
    const serve = async (): Promise<void> => {
      if (onUpgrade) return onUpgrade(message, socket, head, info);
      const upgrade = new SocketUpgrade(socket, head);
      const request = (): Request => toRequest(message, info.signal);
      await upgrade.refuse(await this.#answer(request, { ...info, upgrade }));
    };
    serve().catch((error) => {
      this.#options.log.error("upgrade failed", { error: errorText(error), url: message.url });
      socket.destroy();
    });
  }
}

/** IPv4 as such, also where the listener has it inside IPv6; `""` for a socket that has gone. */
function plainAddress(address: string | undefined): string {
  return (address ?? "").replace(/^::ffff:(?=\d+\.)/, "");
}
