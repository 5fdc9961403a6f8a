/**
 * The link room: connections between hub and node, sessions and streams on them. The WebSocket
 * server is loaded only by {@linkcode loadWsAcceptor}, so that an agent never pays for it.
 */
export * from "./codec.ts";
export * from "./heartbeat.ts";
export * from "./link.ts";
export * from "./memory.ts";
export * from "./session.ts";
export * from "./stream.ts";
export * from "./ws_dialer.ts";
export type * from "./ws_server.ts";

import type { WsAcceptor } from "./ws_server.ts";

/** The hub's WebSocket side. */
export async function loadWsAcceptor(): Promise<WsAcceptor> {
  return (await import("./ws_server.ts")).createWsAcceptor();
}
