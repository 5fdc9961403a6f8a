import { AppError, errorText } from "../../core/base/mod.ts";
import type { ByteChannel, Bytes } from "../../core/wire/mod.ts";

/** Bytes of one read. */
const CHUNK = 64 * 1024;

/**
 * Connects to the runtime's streaming server.
 *
 * @throws {AppError} Unsupported when it is not on this machine's loopback, without TLS;
 * ServiceUnavailable when it does not answer
 */
export async function dialLoopback(url: URL, signal: AbortSignal): Promise<ByteChannel> {
  const { protocol, port } = url;
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  if (protocol !== "http:" || !["127.0.0.1", "::1", "localhost"].includes(hostname)) {
    throw new AppError(
      "Unsupported",
      `the runtime serves streams at ${url.origin}: let it do so at http://127.0.0.1 ` +
        '(containerd: stream_server_address = "127.0.0.1", no TLS)',
    );
  }
  signal.throwIfAborted();
  try {
    const connection = await Deno.connect({ hostname, port: Number(port || 80), signal });
    connection.setNoDelay();
    return new TcpChannel(connection);
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw new AppError(
      "ServiceUnavailable",
      `cannot reach the runtime's streaming server at ${url.host}: ${errorText(cause)}`,
      { cause },
    );
  }
}

class TcpChannel implements ByteChannel {
  readonly #connection: Deno.TcpConn;
  readonly #buffer = new Uint8Array(CHUNK);
  #closed = false;

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  async read(): Promise<Bytes | undefined> {
    const count = await this.#connection.read(this.#buffer).catch((error) => {
      // It left before it had read all that we said. What it said itself has been read by then, and
      // whether that was everything, its frames tell.
      if (error instanceof Deno.errors.ConnectionReset) return null;
      throw error;
    });
    return count === null ? undefined : this.#buffer.slice(0, count);
  }

  async write(bytes: Bytes): Promise<void> {
    for (let at = 0; at < bytes.byteLength;) {
      at += await this.#connection.write(bytes.subarray(at));
    }
  }

  async end(): Promise<void> {
    await this.#connection.closeWrite();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }
}
