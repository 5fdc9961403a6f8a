/** gRPC over `fetch` on a unix socket (docs/decisions/003-cri-over-fetch.md). */
export { type CallOptions, GrpcChannel, type GrpcChannelOptions } from "./channel.ts";
