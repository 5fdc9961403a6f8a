import { AppError, type ErrorCode } from "../base/mod.ts";
import { type AnswerHead, type ByteChannel, readAnswerHead } from "../wire/mod.ts";
import type { UpgradeOffer } from "./offer.ts";

/** A stream that the runtime serves. */
export interface Upgraded {
  /** The subprotocol that the runtime chose; empty for none. */
  readonly protocol: string;
  readonly channel: ByteChannel;
}

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
    const answer = await readAnswerHead(channel, "the runtime's streaming server");
    if (answer.status !== 101) throw await refusal(answer);
    const name = offer.upgrade === "websocket"
      ? "sec-websocket-protocol"
      : "x-stream-protocol-version";
    return { protocol: answer.headers[name] ?? "", channel: answer.channel };
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

const CODES: Readonly<Record<number, ErrorCode>> = {
  400: "BadRequest",
  403: "Forbidden",
  404: "NotFound",
};

async function refusal({ status, headers, channel }: AnswerHead): Promise<AppError> {
  let text = "";
  const length = Number(headers["content-length"] ?? 0);
  const wanted = Number.isSafeInteger(length) ? Math.min(length, REFUSAL_CAP) : 0;
  while (text.length < wanted) {
    const bytes = await channel.read();
    if (!bytes) break;
    text += new TextDecoder("latin1").decode(bytes);
  }
  const words = text.slice(0, wanted).trim() || `status ${status}`;
  return new AppError(CODES[status] ?? "InternalError", `the runtime refuses the stream: ${words}`);
}
