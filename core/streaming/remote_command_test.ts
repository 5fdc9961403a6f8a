import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { seconds, VirtualClock } from "../base/mod.ts";
import {
  type ByteChannel,
  type Bytes,
  clientFrame,
  closePayload,
  FrameDecoder,
  joinBytes,
  OP,
} from "../wire/mod.ts";
import { channelPair } from "../wire/testing.ts";
import { translateRemoteCommand } from "./remote_command.ts";
import { unwrapPortForward } from "./port_tunnel.ts";
import { spdyData, SpdyDecoder, spdyPing } from "./spdy.ts";

const text = (data: Uint8Array | readonly number[]): string =>
  new TextDecoder().decode(new Uint8Array(data));
const bytes = (of: string): Bytes => new TextEncoder().encode(of);

/** The runtime's end: it reads what a client of SPDY sends. */
class FakeRuntime {
  readonly #channel: ByteChannel;
  readonly #decoder = new SpdyDecoder();
  readonly #seen: string[] = [];

  constructor(channel: ByteChannel) {
    this.#channel = channel;
  }

  /** The next thing that was sent: `open 1`, `data 3 text`, `end 3`; `over` at the end. */
  async next(): Promise<string> {
    while (this.#seen.length === 0) {
      const read = await this.#channel.read().catch(() => undefined);
      if (!read) return "over";
      for (const event of this.#decoder.push(read)) {
        const what = event.kind === "ping"
          ? ` ${event.id}`
          : "stream" in event
          ? ` ${event.stream}`
          : "";
        this.#seen.push(event.kind + what + (event.kind === "data" ? ` ${text(event.bytes)}` : ""));
      }
    }
    return this.#seen.shift() ?? "";
  }

  async sees(...want: string[]): Promise<void> {
    for (const one of want) strictEqual(await this.next(), one);
  }

  async reply(...streams: number[]): Promise<void> {
    for (const id of streams) {
      await this.#channel.write(new Uint8Array([0x80, 3, 0, 2, 0, 0, 0, 4, 0, 0, 0, id]));
    }
  }

  send(frame: Bytes): Promise<void> {
    return this.#channel.write(frame);
  }

  /** As Go's server: resets every stream, says goodbye and hangs up. */
  async close(...streams: number[]): Promise<void> {
    for (const id of streams) {
      await this.send(new Uint8Array([0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, id, 0, 0, 0, 5]));
    }
    await this.send(new Uint8Array([0x80, 3, 0, 7, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0]));
    this.#channel.close();
  }
}

/** The client's end: it reads what a server of WebSockets sends. */
class FakeClient {
  readonly channel: ByteChannel;
  readonly #decoder = new FrameDecoder({ from: "server" });
  readonly #seen: string[] = [];

  constructor(channel: ByteChannel) {
    this.channel = channel;
  }

  async next(): Promise<string> {
    while (this.#seen.length === 0) {
      const read = await this.channel.read().catch(() => undefined);
      if (!read) return "over";
      for (const event of this.#decoder.push(read)) {
        const { kind } = event;
        const [first = 0, ...rest] = event.bytes;
        this.#seen.push(
          kind === "data"
            ? `${first} ${text(rest)}`
            : kind === "close"
            ? `close ${first * 256 + (rest[0] ?? 0)}`
            : `${kind} ${text(event.bytes)}`,
        );
      }
    }
    return this.#seen.shift() ?? "";
  }

  async sees(...want: string[]): Promise<void> {
    for (const one of want) strictEqual(await this.next(), one);
  }

  say(channel: number, data: string | readonly number[]): Promise<void> {
    const payload = typeof data === "string" ? bytes(data) : new Uint8Array(data);
    return this.channel.write(clientFrame(OP.binary, new Uint8Array([channel]), payload));
  }
}

const STATUS = '{"metadata":{},"status":"Success"}';

function start(wants: Partial<Parameters<typeof translateRemoteCommand>[1]>) {
  const clock = new VirtualClock();
  const [client, clientEnd] = channelPair();
  const [server, serverEnd] = channelPair();
  const stop = new AbortController();
  const defaults = { container: "c", stdin: false, stdout: false, stderr: false, tty: false };
  const done = translateRemoteCommand(
    { client: clientEnd, server: serverEnd },
    { ...defaults, ...wants },
    { clock, signal: stop.signal },
  );
  return { clock, stop, done, client: new FakeClient(client), runtime: new FakeRuntime(server) };
}

Deno.test("translateRemoteCommand() carries output, stderr and the status, and closes", async () => {
  const { client, runtime, done } = start({ stdout: true, stderr: true });
  await runtime.sees("open 1", "open 5", "open 7");
  await runtime.reply(1, 5, 7);
  await runtime.send(spdyData(5, bytes("out")));
  await runtime.send(spdyData(7, bytes("err")));
  await runtime.send(spdyData(9, bytes("nobody asked")));
  await runtime.send(spdyPing(2));
  await runtime.send(spdyPing(1));
  await runtime.sees("ping 2");
  await runtime.send(spdyData(5, bytes("put")));
  await runtime.send(spdyData(1, bytes(STATUS)));
  await runtime.close(5, 1, 7);
  await client.sees("1 out", "2 err", "1 put", `3 ${STATUS}`, "close 1000", "over");
  client.channel.close();
  await done;
});

Deno.test("translateRemoteCommand() holds stdin until the runtime has taken its streams, and ends it", async () => {
  const { client, runtime, done } = start({ stdin: true, stdout: true, tty: true });
  await client.say(0, "early ");
  await client.say(4, '{"Width":80,"Height":24}');
  await runtime.sees("open 1", "open 3", "open 5", "open 9");
  await runtime.reply(1, 3, 5, 9);
  await runtime.sees("data 3 early ", 'data 9 {"Width":80,"Height":24}');
  // In fragments, with a ping between them, and on channels that nobody has.
  const first = clientFrame(OP.binary, new Uint8Array([0]), bytes("la"));
  first[0] = OP.binary;
  await client.channel.write(first);
  await client.channel.write(clientFrame(OP.ping, bytes("hi")));
  await client.channel.write(clientFrame(OP.continuation, bytes("te")));
  await client.say(7, "lost");
  await client.say(255, [7]);
  await client.say(255, []);
  await client.say(255, [0]);
  await client.say(0, "after the end");
  await runtime.sees("data 3 la", "data 3 te", "end 3");
  await client.sees("pong hi");
  await runtime.send(spdyData(1, bytes(STATUS), { fin: true }));
  await runtime.send(spdyData(5, bytes("tail"), { fin: true }));
  await client.sees(`3 ${STATUS}`, "1 tail", "close 1000");
  await client.channel.write(clientFrame(OP.close, closePayload(1000)));
  await done;
  await runtime.sees("over");
});

Deno.test("translateRemoteCommand() tells a client of an end that the runtime did not explain", async () => {
  const { client, runtime, done } = start({ stdout: true });
  await runtime.sees("open 1", "open 5");
  await runtime.reply(1, 5);
  await runtime.send(spdyData(5, bytes("half")));
  await runtime.close();
  await client.sees("1 half");
  const status = await client.next();
  deepStrictEqual([status[0], JSON.parse(status.slice(2)).status], ["3", "Failure"]);
  await client.sees("close 1000");
  client.channel.close();
  await done;
});

Deno.test("translateRemoteCommand() frees everything when the client leaves, breaks the rules or is stopped", async () => {
  const ways: ((place: ReturnType<typeof start>) => Promise<void> | void)[] = [
    ({ client }) => client.channel.close(),
    ({ client }) => client.channel.write(clientFrame(OP.close, closePayload(1000))),
    ({ client }) => client.channel.write(new Uint8Array([0x82, 1, 0])),
    ({ stop }) => stop.abort(new Error("the hub is stopping")),
    ({ runtime }) => runtime.send(new Uint8Array([0x80, 9, 0, 0, 0, 0, 0, 0])),
  ];
  for (const leave of ways) {
    const place = start({ stdin: true, stdout: true });
    await place.runtime.sees("open 1", "open 3", "open 5");
    await leave(place);
    await place.done;
    await place.runtime.sees("over");
    strictEqual(place.clock.size, 0, "a timer is left");
  }
});

Deno.test("translateRemoteCommand() gives a client that is not read a sign of life", async () => {
  const { client, runtime, done, clock } = start({ stdin: true, stdout: true });
  await runtime.sees("open 1", "open 3", "open 5");
  await clock.advance(seconds(11));
  await client.sees("pong ", "pong ");
  await client.channel.write(clientFrame(OP.ping, bytes("mine")));
  await client.sees("pong mine");
  await clock.advance(seconds(4));
  await client.channel.write(clientFrame(OP.ping, bytes("again")));
  await client.sees("pong again");
  await runtime.close();
  client.channel.close();
  await done;
});

Deno.test("a client that hangs up late, or never, gets what was sent, and is given up after 30 s", async () => {
  const { client, runtime, done, clock } = start({ stdout: true });
  await runtime.sees("open 1", "open 5");
  await runtime.send(spdyData(1, bytes(STATUS)));
  await runtime.close(1, 5);
  await client.sees(`3 ${STATUS}`, "close 1000");
  let over = false;
  void done.then(() => over = true);
  // A pong can no longer be sent: the connection's own end has been told.
  await client.channel.write(clientFrame(OP.ping, bytes("slow")));
  await clock.advance(seconds(29));
  strictEqual(over, false);
  await clock.advance(seconds(2));
  await done;
});

Deno.test("unwrapPortForward() takes the bytes out of messages and puts them into messages", async () => {
  const [client, clientEnd] = channelPair();
  const [server, serverEnd] = channelPair();
  const clock = new VirtualClock();
  const signal = new AbortController().signal;
  const done = unwrapPortForward({ client: clientEnd, server: serverEnd }, { clock, signal });
  await client.write(clientFrame(OP.binary, bytes("up")));
  strictEqual(text(await server.read() ?? []), "up");
  await server.write(bytes("down"));
  const decoder = new FrameDecoder({ from: "server" });
  const [event] = decoder.push(await client.read() ?? new Uint8Array(0));
  strictEqual(text(event?.bytes ?? []), "down");
  await client.write(clientFrame(OP.close, closePayload(1000)));
  await done;
  strictEqual(await server.read().catch(() => undefined), undefined);
  strictEqual(joinBytes([]).byteLength, 0);
});
