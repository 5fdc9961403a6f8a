import type { Duplex } from "node:stream";
import { type ByteChannel, SocketChannel, startReading, stopReading } from "../wire/mod.ts";
import type { Upgrade } from "./types.ts";

/** The upgrade that a request asks for, over the socket that the request came by. */
export class SocketUpgrade implements Upgrade {
  readonly #socket: Duplex;
  readonly #head: Uint8Array;
  /** Whether the socket was handed over. */
  accepted = false;

  constructor(socket: Duplex, head: Uint8Array) {
    this.#socket = socket;
    this.#head = head;
    // Nobody is known to be allowed to send anything yet.
    stopReading(socket);
  }

  accept(headers: Readonly<Record<string, string>>): ByteChannel {
    if (this.accepted) throw new TypeError("Cannot accept an upgrade twice");
    this.accepted = true;
    const lines = ["HTTP/1.1 101 Switching Protocols", "connection: Upgrade", ...linesOf(headers)];
    this.#socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    return new SocketChannel(this.#socket, this.#head);
  }

  /** Writes an ordinary answer and ends the connection, when the socket was not handed over. */
  async refuse(response: Response): Promise<void> {
    if (this.accepted) return await response.body?.cancel();
    // Read on, so that the client's own end is seen.
    startReading(this.#socket);
    this.#socket.resume();
    const body = new Uint8Array(await response.arrayBuffer());
    const head = [
      `HTTP/1.1 ${response.status} ${response.statusText || "Refused"}`,
      ...linesOf(Object.fromEntries(response.headers)),
      "connection: close",
      `content-length: ${body.byteLength}`,
    ];
    this.#socket.write(`${head.join("\r\n")}\r\n\r\n`);
    this.#socket.end(body);
  }
}

function linesOf(headers: Readonly<Record<string, string>>): string[] {
  // Headers checks every name and value, so that none can hold a line break.
  return [...new Headers({ ...headers })].map(([name, value]) => `${name}: ${value}`);
}
