import type { Duplex } from "node:stream";
import { AppError } from "../base/mod.ts";
import type { ByteChannel, Bytes } from "./channel.ts";

/** Bytes that wait for their reader before the socket is no longer read. */
const HIGH_WATER = 128 * 1024;
/** Bytes that may wait where the runtime offers no way to stop reading. */
const CAP = 16 * 1024 * 1024;

/** What a TLS socket of node has that its type does not say here. */
interface Below {
  setNoDelay?(): unknown;
  readonly _parent?: { readonly _handle?: { readStop?(): unknown; readStart?(): unknown } | null };
}

/**
 * Stops reading a TLS socket. Its own `pause()` does not stop Deno (2.9.6) from reading it into
 * memory; stopping the TCP handle below does. Who has left is not noticed while it is stopped.
 */
export function stopReading(socket: Duplex): void {
  (socket as Below)._parent?._handle?.readStop?.();
}

/** Goes on after {@linkcode stopReading}. */
export function startReading(socket: Duplex): void {
  (socket as Below)._parent?._handle?.readStart?.();
}

/** A TLS socket as a channel, read no faster than its reader. */
export class SocketChannel implements ByteChannel {
  readonly #socket: Duplex;
  readonly #queue: Bytes[] = [];
  #queued = 0;
  #stopped = false;
  #ended = false;
  #over = false;
  #reader: (() => void) | undefined;
  #writer: (() => void) | undefined;

  /** `head` is what was read before. */
  constructor(socket: Duplex, head: Uint8Array) {
    this.#socket = socket;
    // Else the second of two small writes waits for the first to be acknowledged: 40 ms.
    (socket as Below).setNoDelay?.();
    if (head.byteLength > 0) this.#arrive(head);
    socket.on("data", (chunk: Uint8Array) => this.#arrive(chunk));
    socket.on("end", () => {
      this.#ended = true;
      this.#reader?.();
    });
    socket.on("drain", () => this.#writer?.());
    socket.on("close", () => this.#end());
    if (socket.destroyed) this.#end();
    else startReading(socket);
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
    if (this.#stopped && this.#queue.length === 0) {
      this.#stopped = false;
      startReading(this.#socket);
    }
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
    else if (this.#queued > HIGH_WATER && !this.#stopped) {
      this.#stopped = true;
      stopReading(this.#socket);
    }
    this.#reader?.();
  }

  #end(): void {
    this.#over = true;
    this.#reader?.();
    this.#writer?.();
  }
}

function gone(): AppError {
  return new AppError("ServiceUnavailable", "the other end of the connection went away");
}
