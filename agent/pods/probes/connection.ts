import type { TLSSocket } from "node:tls";

/** A connection to a container: what a probe needs of TCP and of TLS. */
export interface Connection extends Disposable {
  write(bytes: Uint8Array): Promise<void>;
  /** The next bytes; `undefined` when the peer has sent its last. */
  read(): Promise<Uint8Array | undefined>;
}

/** Where a connection goes. */
export interface Endpoint {
  readonly hostname: string;
  readonly port: number;
}

const CHUNK = 8 * 1024;

/** Connects over TCP. An abort of `signal` ends what waits, now and later. */
export async function connectTcp(to: Endpoint, signal: AbortSignal): Promise<Connection> {
  const conn = await Deno.connect({ ...to, signal });
  let open = true;
  const close = (): void => {
    if (open) conn.close();
    open = false;
    signal.removeEventListener("abort", close);
  };
  signal.addEventListener("abort", close, { once: true });
  if (signal.aborted) close();
  const buffer = new Uint8Array(CHUNK);
  return {
    async write(bytes) {
      for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
    },
    async read() {
      const count = await conn.read(buffer);
      return count === null ? undefined : buffer.subarray(0, count);
    },
    [Symbol.dispose]: close,
  };
}

/** Connects over TLS to whoever answers: like a kubelet, a probe trusts every certificate. */
export async function connectTls(to: Endpoint, signal: AbortSignal): Promise<Connection> {
  const { connect } = await import("node:tls");
  signal.throwIfAborted();
  const socket = connect({ host: to.hostname, port: to.port, rejectUnauthorized: false });
  const onAbort = (): void => void socket.destroy(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const close = (): void => {
    signal.removeEventListener("abort", onAbort);
    socket.destroy();
  };
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", resolve);
      socket.on("error", reject);
      socket.once("close", () => reject(signal.reason ?? new Error("EOF")));
    });
  } catch (error) {
    close();
    throw error;
  }
  return tlsConnection(socket, close);
}

function tlsConnection(socket: TLSSocket, close: () => void): Connection {
  const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (error) => error ? reject(error) : resolve());
      }),
    async read() {
      const next = await chunks.next();
      return next.done ? undefined : next.value;
    },
    [Symbol.dispose]: close,
  };
}
