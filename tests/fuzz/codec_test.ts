import assert from "node:assert/strict";
import fc from "fast-check";
import {
  AppError,
  seconds,
  seededRandom,
  silentLogger,
  VirtualClock,
} from "../../core/base/mod.ts";
import {
  type Connection,
  createStream,
  encodeMessage,
  LINK,
  MemoryNetwork,
  type Message,
  parseMessage,
  PartJoiner,
  Session,
} from "../../core/link/mod.ts";
import { FromHub, FromNode, readMessage } from "../../core/sync/mod.ts";

/** Runs `fn`; whatever it throws must be an `AppError`. */
function onlyAppError<T>(fn: () => T): T | undefined {
  try {
    return fn();
  } catch (error) {
    assert.ok(error instanceof AppError, `threw ${error}`);
    return undefined;
  }
}

function readAll(text: string): void {
  const message = onlyAppError(() => parseMessage(text));
  if (!message) return;
  onlyAppError(() => readMessage(FromNode, message));
  onlyAppError(() => readMessage(FromHub, message));
  onlyAppError(() => new PartJoiner().add(message));
}

const TYPES = ["hello", "welcome", "have", "snap", "put", "del", "ack", "intent", "result", "open"];
const messages = fc.record({ t: fc.constantFrom(...TYPES, "part", "call", "reply", "ping", "x-y") })
  .chain((head) =>
    fc.dictionary(
      fc.constantFrom("seq", "id", "n", "of", "data", "items", "object", "body", "key", "protocol"),
      fc.jsonValue({ maxDepth: 6 }),
    ).map((rest): Message => ({ ...rest, ...head }))
  );

Deno.test("parseMessage() throws nothing but AppError on any text", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), readAll));
  fc.assert(fc.property(fc.json(), readAll));
});

Deno.test("parseMessage() throws nothing but AppError on messages cut or changed anywhere", () => {
  fc.assert(fc.property(messages, fc.nat(), fc.string({ maxLength: 3 }), (message, at, noise) => {
    const text = JSON.stringify(message);
    readAll(text);
    const cut = at % (text.length + 1);
    readAll(text.slice(0, cut));
    readAll(text.slice(0, cut) + noise + text.slice(cut + 1));
  }));
});

Deno.test("encodeMessage() and PartJoiner give back what went in, in frames below the cap", () => {
  const units = fc.constantFrom("a", "\u20ac", "\u{1F30A}", '"\\', "\u0000", "\ud800");
  fc.assert(
    fc.property(units, fc.integer({ min: 1, max: 700_000 }), (unit, count) => {
      const message = { t: "put", text: unit.repeat(count) };
      let id = 0;
      const frames = onlyAppError(() => encodeMessage(message, () => ++id));
      if (!frames) return;
      const joiner = new PartJoiner();
      const bytes = (text: string): number => new TextEncoder().encode(text).byteLength;
      let joined: Message | undefined;
      for (const frame of frames) {
        assert.ok(bytes(frame) <= LINK.frameCap);
        const part = parseMessage(frame);
        joined = part.t === "part" ? joiner.add(part) : part;
      }
      assert.deepEqual(joined, message);
      assert.equal(joiner.held, 0);
    }),
    { numRuns: 25 },
  );
});

Deno.test("PartJoiner never holds more than the message cap, whatever the parts say", () => {
  const random = seededRandom(5);
  const joiner = new PartJoiner();
  const data = "x".repeat(300_000);
  for (let i = 0; i < 5000; i++) {
    const part = {
      t: "part",
      id: Math.floor(random() * 2),
      n: Math.floor(random() * 20),
      of: Math.floor(random() * 22),
      data: random() < 0.5 ? data : "",
    };
    onlyAppError(() => joiner.add(part));
    assert.ok(joiner.held <= LINK.messageCap + data.length);
  }
});

Deno.test("parseMessage() refuses deep and wide input before it builds anything of it", () => {
  const deep = `{"t":"a","b":${"[".repeat(2_000_000)}${"]".repeat(2_000_000)}}`;
  const wide = `{"t":"a","b":[${"[],".repeat(1_000_000)}[]]}`;
  const long = `{"t":"a","b":"${"x".repeat(LINK.messageCap)}"}`;
  for (const text of [deep, wide, long]) {
    const before = Deno.memoryUsage().heapUsed;
    assert.throws(() => parseMessage(text), { code: "RequestEntityTooLarge" });
    const grown = Deno.memoryUsage().heapUsed - before;
    assert.ok(grown < 8 * 1024 * 1024, `${grown} bytes for refusing`);
  }
});

async function pair(): Promise<{ hub: Connection; node: Connection; clock: VirtualClock }> {
  const clock = new VirtualClock();
  const network = new MemoryNetwork({ clock });
  const accepted = Promise.withResolvers<Connection>();
  network.onConnection((connection) => accepted.resolve(connection));
  const peer = { name: "n1", fingerprint: "f", remote: "test" };
  const node = await network.dialer(peer).dial("/v1/link", new AbortController().signal);
  return { hub: await accepted.promise, node, clock };
}

const frames = fc.array(
  fc.oneof(
    messages.map((message) => JSON.stringify(message)),
    fc.string({ maxLength: 40 }),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => new Uint8Array(bytes)),
    fc.constantFrom('{"end":true}', '{"credit":1e9}', '{"credit":-1}', '{"beat":true}', "null"),
  ),
  { maxLength: 12 },
);

Deno.test("Session survives or closes on any frames, and never throws into the process", async () => {
  await fc.assert(fc.asyncProperty(frames, async (sent) => {
    const { hub, node, clock } = await pair();
    const session = new Session({ connection: hub, clock, log: silentLogger });
    for (const frame of sent) await node.send(frame).catch(() => {});
    await clock.advance(seconds(1));
    session.close(1000, "done");
    for (let i = 0; i <= sent.length; i++) await session.receive();
    assert.equal(await session.receive(), undefined);
    assert.equal(clock.size, 0, "no timer is left");
  }));
});

Deno.test("Stream survives or breaks on any frames, and never throws into the process", async () => {
  await fc.assert(fc.asyncProperty(frames, async (sent) => {
    const { hub, node, clock } = await pair();
    const stream = createStream(hub, { clock });
    const reading = new Response(stream.readable).bytes().catch((error) => {
      assert.ok(error instanceof AppError, `threw ${error}`);
    });
    for (const frame of sent) await node.send(frame).catch(() => {});
    await clock.advance(seconds(1));
    node.close(1000, "done");
    await reading;
    await stream.closed;
    await clock.advance(seconds(1));
    assert.equal(clock.size, 0, "no timer is left");
  }));
});
