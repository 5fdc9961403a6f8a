import { AppError } from "../base/mod.ts";

/** What a client asks the runtime's streaming server to speak. */
export interface UpgradeOffer {
  /** `SPDY/3.1` is Kubernetes' own; `websocket` what its older WebSocket protocols are piped as. */
  readonly upgrade: "SPDY/3.1" | "websocket";
  /** Subprotocols, best first. */
  readonly protocols: readonly string[];
}

/**
 * How a client's bytes become the runtime's: `raw` as they are; `remote-command` is WebSocket
 * `v5.channel.k8s.io` over SPDY, which runtimes do not speak; `unwrap` is SPDY in WebSocket messages.
 */
export type Carrying = "raw" | "remote-command" | "unwrap";

/** What is done with a client's upgrade. */
export interface UpgradePlan {
  readonly offer: UpgradeOffer;
  readonly carrying: Carrying;
  /** The headers of the 101, when the runtime chose `protocol` (empty for none). */
  answer(protocol: string): Promise<Record<string, string>>;
}

/** WebSocket subprotocol of exec and attach with an explicit end of stdin (KEP-4006). */
export const REMOTE_COMMAND_V5 = "v5.channel.k8s.io";
/** SPDY inside WebSocket messages (KEP-4006). */
const TUNNEL = "SPDY/3.1+";
const PORT_FORWARD = "portforward.k8s.io";
/** Subprotocols that one client may offer. */
export const PROTOCOLS_CAP = 16;
/** What a subprotocol's name looks like; nothing else may go into a header. */
export const PROTOCOL_NAME = /^[A-Za-z0-9.+\/_-]{1,64}$/;

/**
 * Decides how to serve a client's upgrade from its headers. Pure.
 *
 * @throws {AppError} BadRequest in Kubernetes' words when it is none that exec, attach and
 * port-forward know
 */
export function planUpgrade(
  headers: Headers,
  kind: "remote-command" | "port-forward",
): UpgradePlan {
  const wanted = (headers.get("upgrade") ?? "").toLowerCase();
  if (wanted === "spdy/3.1") return spdyPlan(headers);
  if (wanted !== "websocket") throw new AppError("BadRequest", "Upgrade request required");
  const key = headers.get("sec-websocket-key") ?? "";
  if (!/^[A-Za-z0-9+/]{22}==$/.test(key) || headers.get("sec-websocket-version") !== "13") {
    throw new AppError("BadRequest", "the WebSocket handshake needs version 13 and a key");
  }
  const offered = listOf(headers, "sec-websocket-protocol");
  const tunnel = `${TUNNEL}${PORT_FORWARD}`;
  if (kind === "remote-command" && offered.includes(REMOTE_COMMAND_V5)) {
    return {
      offer: { upgrade: "SPDY/3.1", protocols: ["v4.channel.k8s.io"] },
      carrying: "remote-command",
      answer: () => webSocketHead(key, REMOTE_COMMAND_V5),
    };
  }
  if (kind === "port-forward" && offered.includes(tunnel)) {
    return {
      offer: { upgrade: "SPDY/3.1", protocols: [PORT_FORWARD] },
      carrying: "unwrap",
      answer: () => webSocketHead(key, tunnel),
    };
  }
  return {
    offer: { upgrade: "websocket", protocols: offered },
    carrying: "raw",
    answer: (protocol) => webSocketHead(key, protocol),
  };
}

function spdyPlan(headers: Headers): UpgradePlan {
  const name = "x-stream-protocol-version";
  return {
    offer: { upgrade: "SPDY/3.1", protocols: listOf(headers, name) },
    carrying: "raw",
    answer: (protocol) =>
      Promise.resolve({ upgrade: "SPDY/3.1", ...(protocol === "" ? {} : { [name]: protocol }) }),
  };
}

function listOf(headers: Headers, name: string): string[] {
  const list = (headers.get(name) ?? "").split(",").map((item) => item.trim())
    .filter((item) => item !== "");
  if (list.length <= PROTOCOLS_CAP && list.every((item) => PROTOCOL_NAME.test(item))) return list;
  throw new AppError("BadRequest", `the header ${name} cannot be read`);
}

async function webSocketHead(key: string, protocol: string): Promise<Record<string, string>> {
  // RFC 6455 4.2.2: proves that the server has read this very handshake.
  const text = new TextEncoder().encode(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", text));
  return {
    upgrade: "websocket",
    "sec-websocket-accept": digest.toBase64(),
    ...(protocol === "" ? {} : { "sec-websocket-protocol": protocol }),
  };
}
