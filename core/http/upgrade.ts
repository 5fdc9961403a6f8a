import type { Duplex } from "node:stream";
import { AppError } from "../base/mod.ts";
import type { ByteChannel, Bytes } from "../streaming/mod.ts";
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
    readOn(socket, { go: false });
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
    // So that the client's own end is seen.
    readOn(this.#socket, { go: true });
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

/** Bytes that wait for their reader before the socket is no longer read. */
const HIGH_WATER = 128 * 1024;
/** Bytes that may wait where the runtime offers no way to stop reading. */
const CAP = 16 * 1024 * 1024;

/** What lies below a TLS socket of node. */
interface Below {
  readonly _parent?: { readonly _handle?: { readStop?(): unknown; readStart?(): unknown } | null };
}

/**
 * Stops or goes on reading a TLS socket. Its own `pause()` does not stop Deno (2.9.6) from reading it
 * into memory; that of the TCP handle below does. Who has left is not noticed while it is stopped.
 */
function readOn(socket: Duplex, { go }: { readonly go: boolean }): void {
  const handle = (socket as Below)._parent?._handle;
  if (go) handle?.readStart?.();
  else handle?.readStop?.();
}

/** A TLS socket as a channel, read no faster than its reader. */
class SocketChannel implements ByteChannel {
  readonly #socket: Duplex;
  readonly #queue: Bytes[] = [];
  #queued = 0;
  #stopped = false;
  #ended = false;
  #over = false;
  #reader: (() => void) | undefined;
  #writer: (() => void) | undefined;

  constructor(socket: Duplex, head: Uint8Array) {
    this.#socket = socket;
    if (head.byteLength > 0) this.#arrive(head);
    socket.on("data", (chunk: Uint8Array) => this.#arrive(chunk));
    socket.on("end", () => {
      this.#ended = true;
      this.#reader?.();
    });
    socket.on("drain", () => this.#writer?.());
    socket.on("close", () => this.#end());
    if (socket.destroyed) this.#end();
    else readOn(socket, { go: true });
  }

  async read(): Promise<Bytes | undefined> {
    while (this.#queue.length === 0 && !this.#ended && !this.#over) {
      await new Promise<void>((resolve) => this.#reader = resolve);
    }
    const bytes = this.#queue.shift();
    if (!bytes) {
      if (this.#ended) return undefined;
      throw gone();
    }
    this.#queued -= bytes.byteLength;
    if (this.#stopped && this.#queue.length === 0) this.#flow({ go: true });
    return bytes;
  }

  async write(bytes: Bytes): Promise<void> {
    if (this.#over) throw gone();
    if (this.#socket.write(bytes)) return;
    await new Promise<void>((resolve) => this.#writer = resolve);
    if (this.#over) throw gone();
  }

  async end(): Promise<void> {
    if (this.#over) throw gone();
    await new Promise<void>((resolve) => {
      this.#writer = resolve;
      this.#socket.end(() => resolve());
    });
  }

  close(): void {
    this.#queue.length = 0;
    this.#socket.destroy();
    this.#end();
  }

  #arrive(chunk: Uint8Array): void {
    if (this.#over) return;
    const { buffer, byteOffset, byteLength } = chunk;
    this.#queue.push(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength));
    this.#queued += byteLength;
    if (this.#queued > CAP) this.close();
    else if (this.#queued > HIGH_WATER && !this.#stopped) this.#flow({ go: false });
    this.#reader?.();
  }

  #flow(how: { readonly go: boolean }): void {
    this.#stopped = !how.go;
    readOn(this.#socket, how);
  }

  #end(): void {
    this.#over = true;
    this.#reader?.();
    this.#writer?.();
  }
}

function gone(): AppError {
  return new AppError("ServiceUnavailable", "the client went away");
}
