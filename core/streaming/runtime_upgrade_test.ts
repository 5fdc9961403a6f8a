import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import type { ByteChannel } from "../wire/mod.ts";
import { channelPair } from "../wire/testing.ts";
import type { UpgradeOffer } from "./offer.ts";
import { type Upgraded, upgradeRuntime } from "./runtime_upgrade.ts";

const SPDY: UpgradeOffer = {
  upgrade: "SPDY/3.1",
  protocols: ["v4.channel.k8s.io", "v3.channel.k8s.io"],
};
const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

async function ask(
  offer: UpgradeOffer,
  answer: string,
): Promise<{ asked: string; upgraded: Promise<Upgraded>; server: ByteChannel }> {
  const [ours, server] = channelPair();
  const upgraded = upgradeRuntime(ours, new URL("http://127.0.0.1:9/exec/token?x=1"), offer);
  upgraded.catch(() => {});
  const asked = new TextDecoder().decode(await server.read());
  await server.write(bytes(answer));
  return { asked, upgraded, server };
}

Deno.test("upgradeRuntime() asks in the words of each protocol and says what was chosen", async () => {
  const { asked, upgraded, server } = await ask(
    SPDY,
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\n" +
      "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\nfirst",
  );
  deepStrictEqual(asked.split("\r\n"), [
    "POST /exec/token?x=1 HTTP/1.1",
    "Host: 127.0.0.1:9",
    "Connection: Upgrade",
    "Upgrade: SPDY/3.1",
    "Content-Length: 0",
    "X-Stream-Protocol-Version: v4.channel.k8s.io",
    "X-Stream-Protocol-Version: v3.channel.k8s.io",
    "",
    "",
  ]);
  const { protocol, channel } = await upgraded;
  strictEqual(protocol, "v4.channel.k8s.io");
  strictEqual(new TextDecoder().decode(await channel.read()), "first");
  await channel.write(bytes("up"));
  strictEqual(new TextDecoder().decode(await server.read()), "up");

  const socket = await ask(
    { upgrade: "websocket", protocols: ["v4.channel.k8s.io"] },
    "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n",
  );
  strictEqual(/^GET .*Sec-WebSocket-Protocol: v4\.channel\.k8s\.io\r\n/s.test(socket.asked), true);
  strictEqual((await socket.upgraded).protocol, "v4.channel.k8s.io");
});

Deno.test("upgradeRuntime() tells a refusal in the runtime's words and hangs up", async () => {
  for (
    const [answer, code, message] of [
      ["404 Not Found\r\nContent-Length: 4\r\n\r\ngone", "NotFound", /: gone$/],
      ["403 Forbidden\r\nContent-Length: 0\r\n\r\n", "Forbidden", /status 403/],
      ["400 Bad Request\r\nContent-Length: 999999\r\n\r\nno", "BadRequest", /: no$/],
      ["500 Oops\r\n\r\n", "InternalError", /status 500/],
    ] as const
  ) {
    const { upgraded, server } = await ask(SPDY, `HTTP/1.1 ${answer}`);
    await server.end();
    await rejects(upgraded, { code, message });
    strictEqual(await server.read(), undefined);
  }
});
