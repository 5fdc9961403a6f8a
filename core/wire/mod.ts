/** The wire room: bytes both ways over a connection, heads of HTTP, frames of WebSockets. */
export * from "./channel.ts";
export * from "./http_head.ts";
export * from "./socket_channel.ts";
export * from "./websocket_frames.ts";
