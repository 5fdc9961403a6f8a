import { AppError, type ErrorCode } from "../base/mod.ts";
import { type ByteChannel, type Bytes, withHead } from "./channel.ts";
import type { UpgradeOffer } from "./offer.ts";

/** A stream that the runtime serves. */
export interface Upgraded {
  /** The subprotocol that the runtime chose; empty for none. */
  readonly protocol: string;
  readonly channel: ByteChannel;
}

/** Bytes of the head of the runtime's answer. */
const HEAD_CAP = 16 * 1024;
/** Bytes of its refusal that are told on. */
const REFUSAL_CAP = 4096;

/**
 * Asks the streaming server at the other end of `channel` for `url` and another protocol. Only the
 * headers that matter are sent. The channel is closed when that fails.
 *
 * @throws {AppError} the server's refusal in its words; ServiceUnavailable when it is cut short
 */
export async function upgradeRuntime(
  channel: ByteChannel,
  url: URL,
  offer: UpgradeOffer,
): Promise<Upgraded> {
  try {
    await channel.write(new TextEncoder().encode(requestText(url, offer)));
    const { head, rest } = await readHead(channel);
    const { status, headers } = parseHead(head);
    const left = withHead(channel, rest);
    if (status !== 101) throw await refusal(status, Number(headers["content-length"] ?? ""), left);
    const name = offer.upgrade === "websocket"
      ? "sec-websocket-protocol"
      : "x-stream-protocol-version";
    return { protocol: headers[name] ?? "", channel: left };
  } catch (error) {
    channel.close();
    throw error;
  }
}

function requestText(url: URL, { upgrade, protocols }: UpgradeOffer): string {
  const socket = upgrade === "websocket";
  const lines = [
    `${socket ? "GET" : "POST"} ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    "Connection: Upgrade",
    `Upgrade: ${upgrade}`,
    ...(socket
      ? [
        "Sec-WebSocket-Version: 13",
        `Sec-WebSocket-Key: ${crypto.getRandomValues(new Uint8Array(16)).toBase64()}`,
        ...(protocols.length > 0 ? [`Sec-WebSocket-Protocol: ${protocols.join(", ")}`] : []),
      ]
      // One line each: older servers do not split at commas.
      : ["Content-Length: 0", ...protocols.map((one) => `X-Stream-Protocol-Version: ${one}`)]),
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

async function readHead(channel: ByteChannel): Promise<{ head: string; rest: Bytes }> {
  let seen: Bytes = new Uint8Array(0);
  for (;;) {
    const bytes = await channel.read();
    if (!bytes) throw new AppError("ServiceUnavailable", "the runtime's streaming server hung up");
    const all = new Uint8Array(seen.byteLength + bytes.byteLength);
    all.set(seen);
    all.set(bytes, seen.byteLength);
    seen = all;
    // Latin-1, so that places in the text are places in the bytes.
    const text = new TextDecoder("latin1").decode(seen.subarray(0, HEAD_CAP));
    const end = text.indexOf("\r\n\r\n");
    if (end >= 0) return { head: text.slice(0, end), rest: seen.subarray(end + 4) };
    if (seen.byteLength >= HEAD_CAP) {
      throw new AppError("InternalError", "the head of the runtime's answer is too long");
    }
  }
}

function parseHead(head: string): { status: number; headers: Record<string, string> } {
  const [first = "", ...lines] = head.split("\r\n");
  const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1] ?? Number.NaN);
  if (Number.isNaN(status)) {
    throw new AppError("InternalError", "the runtime's streaming server does not speak HTTP");
  }
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name = "", value = ""] = /^([^:\s]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    headers[name.toLowerCase()] = value;
  }
  return { status, headers };
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  400: "BadRequest",
  403: "Forbidden",
  404: "NotFound",
};

async function refusal(status: number, length: number, channel: ByteChannel): Promise<AppError> {
  let text = "";
  const wanted = Number.isSafeInteger(length) ? Math.min(length, REFUSAL_CAP) : 0;
  while (text.length < wanted) {
    const bytes = await channel.read();
    if (!bytes) break;
    text += new TextDecoder("latin1").decode(bytes);
  }
  const words = text.slice(0, wanted).trim() || `status ${status}`;
  return new AppError(CODES[status] ?? "InternalError", `the runtime refuses the stream: ${words}`);
}
