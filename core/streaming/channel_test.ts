import { strictEqual } from "node:assert/strict";
import { seconds, VirtualClock } from "../base/mod.ts";
import { channelPair } from "../wire/testing.ts";
import { joinChannels } from "./channel.ts";

/** A server that has said "all" and left, before a client; `left` when the connection has ended. */
function place(hangsUp: boolean) {
  const clock = new VirtualClock();
  const [client, ours] = channelPair();
  const [theirs, server] = channelPair();
  const { signal } = new AbortController();
  const done = joinChannels({ client: ours, server: theirs }, { clock, signal, hangsUp });
  let left = false;
  const read = async (): Promise<string> => {
    let text = "";
    for (let bytes = await client.read(); bytes; bytes = await client.read()) {
      text += new TextDecoder().decode(bytes);
    }
    left = true;
    return text;
  };
  const text = read();
  const say = async (): Promise<void> => {
    await server.write(new TextEncoder().encode("all"));
    await server.end();
  };
  return { clock, client, server, done, text, say, left: () => left };
}

Deno.test("joinChannels() tells a client of the end at once", async () => {
  const { clock, client, done, text, say } = place(false);
  await say();
  strictEqual(await text, "all");
  client.close();
  await done;
  strictEqual(clock.size, 0);
});

Deno.test("joinChannels() lets a client that hangs up by itself do so first", async () => {
  const { clock, client, done, say, text, left } = place(true);
  text.catch(() => {});
  await say();
  await clock.advance(seconds(29));
  strictEqual(left(), false);
  client.close();
  await done;
});

Deno.test("joinChannels() does not wait for a client that does not hang up", async () => {
  const { clock, done, say, text } = place(true);
  await say();
  await clock.advance(seconds(30));
  strictEqual(await text, "all");
  await clock.advance(seconds(5));
  await done;
});
