import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { ms, VirtualClock } from "../base/mod.ts";
import { type Bytes, joinBytes } from "../wire/mod.ts";
import { channelPair } from "../wire/testing.ts";
import { PingFilter, pingsWhenQuiet } from "./quiet_pings.ts";
import { spdyData, spdyPing, spdyRefuse } from "./spdy.ts";

const HELLO = spdyData(5, new TextEncoder().encode("hello"));

/** A client's connection to a server; `heard` is what the server has got. */
function place() {
  const clock = new VirtualClock();
  const [ours, server] = channelPair();
  const channel = pingsWhenQuiet(ours, clock);
  const heard: Bytes[] = [];
  const listening = (async () => {
    for (let bytes = await server.read(); bytes; bytes = await server.read()) heard.push(bytes);
  })().catch(() => {/* closed */});
  const close = async (): Promise<void> => {
    channel.close();
    server.close();
    await listening;
    strictEqual(clock.size, 0);
  };
  return { clock, channel, server, heard: () => joinBytes(heard), close };
}

Deno.test("PingFilter takes pings, and nothing else, out of frames however they are cut", () => {
  const data = spdyData(1, spdyPing(7));
  const all = joinBytes([spdyPing(1), HELLO, spdyRefuse(2), spdyPing(3), data, spdyPing(5), data]);
  for (let size = 1; size <= all.byteLength; size++) {
    const filter = new PingFilter();
    const rest: Bytes[] = [];
    const pings: Bytes[] = [];
    for (let at = 0; at < all.byteLength; at += size) {
      const out = filter.push(all.slice(at, at + size));
      rest.push(out.rest);
      pings.push(...out.pings);
    }
    deepStrictEqual(joinBytes(rest), joinBytes([HELLO, spdyRefuse(2), data, data]));
    deepStrictEqual(pings, [spdyPing(1), spdyPing(3), spdyPing(5)]);
    strictEqual(filter.between, true);
  }
});

Deno.test("pingsWhenQuiet() gives a ping on once the server has nothing to say", async () => {
  const { clock, channel, heard, close } = place();
  await channel.write(joinBytes([spdyPing(1), HELLO]));
  await clock.advance(ms(1000));
  deepStrictEqual(heard(), HELLO, "nobody has asked what the server says");
  const read = channel.read();
  await clock.advance(ms(1000));
  deepStrictEqual(heard(), joinBytes([HELLO, spdyPing(1)]));
  read.catch(() => {/* closed */});
  await close();
});

Deno.test("pingsWhenQuiet() sends none when what has arrived is only told after its timer", async () => {
  const { clock, channel, server, heard, close } = place();
  await channel.write(spdyPing(1));
  const read = channel.read();
  // As in a process that gets no processor: the time is over before it looks at its sockets.
  const late = clock.advance(ms(900));
  await server.write(HELLO);
  deepStrictEqual(await read, HELLO);
  await late;
  await clock.advance(ms(10_000));
  strictEqual(heard().byteLength, 0);
  await close();
});

Deno.test("pingsWhenQuiet() sends none to a server whose output a slow client has not taken", async () => {
  const { clock, channel, server, heard, close } = place();
  for (let part = 0; part < 3; part++) await server.write(HELLO);
  await server.end();
  await channel.write(spdyPing(1));
  for (let part = 0; part < 3; part++) {
    await clock.advance(ms(10_000));
    deepStrictEqual(await channel.read(), HELLO);
  }
  strictEqual(await channel.read(), undefined);
  await clock.advance(ms(10_000));
  strictEqual(heard().byteLength, 0);
  await close();
});

Deno.test("pingsWhenQuiet() puts no ping into the middle of a frame", async () => {
  const { clock, channel, heard, close } = place();
  channel.read().catch(() => {/* closed */});
  await channel.write(joinBytes([spdyPing(1), HELLO.slice(0, 10)]));
  await clock.advance(ms(1000));
  deepStrictEqual(heard(), HELLO.slice(0, 10));
  await channel.write(HELLO.slice(10));
  await clock.advance(ms(1000));
  deepStrictEqual(heard(), joinBytes([HELLO, spdyPing(1)]));
  await close();
});

Deno.test("pingsWhenQuiet() keeps few of a client that sends nothing but pings", async () => {
  const { clock, channel, heard, close } = place();
  for (let id = 1; id < 200; id += 2) await channel.write(spdyPing(id));
  channel.read().catch(() => {/* closed */});
  await clock.advance(ms(1000));
  strictEqual(heard().byteLength, 16 * 12);
  await close();
});
