import type { Ends, EndsRim } from "./channel.ts";
import { runEnds } from "./channel.ts";
import { WebSocketSide } from "./websocket.ts";

/**
 * Port-forward for clients that speak WebSocket `SPDY/3.1+portforward.k8s.io`: the messages hold the
 * bytes of a SPDY connection, which go on as they are.
 */
export async function unwrapPortForward(ends: Ends, rim: EndsRim): Promise<void> {
  using socket = new WebSocketSide(ends.client, rim.clock);
  await runEnds(ends, {
    async up(_client, server) {
      for (let piece = await socket.receive(); piece; piece = await socket.receive()) {
        await server.write(piece.bytes);
      }
    },
    async down(server) {
      for (let bytes = await server.read(); bytes; bytes = await server.read()) {
        await socket.send(bytes);
      }
      await socket.close();
    },
  }, rim);
}
