import { deepStrictEqual, rejects } from "node:assert/strict";
import { readAnswerHead } from "./http_head.ts";
import { channelPair } from "./testing.ts";

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data);

Deno.test("readAnswerHead() reads a head however it comes, and loses nothing after it", async () => {
  const whole =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nX-Empty:\r\n\r\nrest\r\n\r\n";
  for (let cut = 1; cut < whole.length; cut++) {
    const [ours, theirs] = channelPair();
    await theirs.write(bytes(whole.slice(0, cut)));
    await theirs.write(bytes(whole.slice(cut)));
    theirs.close();
    const { status, headers, channel } = await readAnswerHead(ours, "it");
    deepStrictEqual([status, headers], [101, { upgrade: "SPDY/3.1", "x-empty": "" }]);
    let rest = "";
    for (let part = await channel.read(); part; part = await channel.read()) rest += text(part);
    deepStrictEqual(rest, "rest\r\n\r\n");
  }
});

Deno.test("readAnswerHead() gives up on what is no HTTP, too long or cut short", async () => {
  for (
    const [sent, code] of [
      ["", "ServiceUnavailable"],
      ["HTTP/1.1 200 OK\r\n", "ServiceUnavailable"],
      ["SSH-2.0-x\r\n\r\n", "InternalError"],
      ["HTTP/2 200\r\n\r\n", "InternalError"],
      [`HTTP/1.1 200 OK\r\nX: ${"a".repeat(17_000)}`, "InternalError"],
    ] as const
  ) {
    const [ours, theirs] = channelPair();
    if (sent !== "") await theirs.write(bytes(sent));
    theirs.close();
    await rejects(readAnswerHead(ours, "it"), { code });
  }
});
