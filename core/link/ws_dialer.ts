import { connect, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
import { AppError, type Clock, errorText } from "../base/mod.ts";
import { readAnswerHead, SocketChannel } from "../wire/mod.ts";
import type { Dialer } from "./link.ts";
import { WsClient } from "./ws_client.ts";

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

/**
 * A dialer of WebSockets over TLS with a client certificate. Not the built-in WebSocket: its socket
 * has Nagle's algorithm on (Deno 2.9.6), so that the second of two messages waits 40 ms, and it cannot
 * be told to wait for its reader.
 */
export function createWsDialer({ hub, credentials, clock }: WsDialerOptions): Dialer {
  let context: SecureContext | undefined;
  let used: Credentials | undefined;
  const contextFor = (now: Credentials): SecureContext => {
    if (context && used?.cert === now.cert && used.ca === now.ca) return context;
    used = now;
    return context = createSecureContext(now);
  };
  return {
    async dial(path, signal, onReached) {
      signal.throwIfAborted();
      try {
        const socket = await open(hub, contextFor(credentials()), signal, onReached);
        const onAbort = (): void => void socket.destroy();
        signal.addEventListener("abort", onAbort, { once: true });
        try {
          return await shakeHands(socket, { hub, path, clock });
        } finally {
          signal.removeEventListener("abort", onAbort);
        }
      } catch (error) {
        throw signal.aborted ? signal.reason : refused(hub, error);
      }
    },
  };
}

function open(
  hub: string,
  secureContext: SecureContext,
  signal: AbortSignal,
  onReached?: () => void,
): Promise<TLSSocket> {
  const { hostname, port } = new URL(`https://${hub}`);
  const host = hostname.replace(/^\[|\]$/g, "");
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const socket = connect({ host, port: Number(port || 443), secureContext });
  const onAbort = (): void => void socket.destroy(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  // Stays: without a listener, an error would end the process.
  socket.on("error", reject);
  socket.once("close", () => reject(new Error("the connection was closed")));
  if (onReached) socket.once("connect", onReached);
  socket.once("secureConnect", () => resolve(socket));
  return promise.finally(() => signal.removeEventListener("abort", onAbort));
}

async function shakeHands(
  socket: TLSSocket,
  { hub, path, clock }: { readonly hub: string; readonly path: string; readonly clock: Clock },
): Promise<WsClient> {
  const channel = new SocketChannel(socket, new Uint8Array(0));
  try {
    const lines = [
      `GET ${path} HTTP/1.1`,
      `Host: ${hub}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${crypto.getRandomValues(new Uint8Array(16)).toBase64()}`,
    ];
    await channel.write(new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
    const answer = await readAnswerHead(channel, "the hub");
    if (answer.status !== 101) {
      const code = answer.status === 401
        ? "Unauthorized"
        : answer.status === 403
        ? "Forbidden"
        : "ServiceUnavailable";
      throw new AppError(code, `it answers ${answer.status}`);
    }
    const peer = { name: "hub", fingerprint: "", remote: hub };
    return new WsClient(answer.channel, peer, clock);
  } catch (error) {
    channel.close();
    throw error;
  }
}

function refused(hub: string, cause: unknown): AppError {
  const code = cause instanceof AppError ? cause.code : "ServiceUnavailable";
  return new AppError(code, `cannot reach the hub at ${hub}: ${errorText(cause)}`, { cause });
}
