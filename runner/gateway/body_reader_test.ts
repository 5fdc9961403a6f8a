import assert from "node:assert/strict";
import { bytes, ms, seconds, systemClock, VirtualClock } from "../../core/base/mod.ts";
import { BodyReader, type BodyReaderOptions } from "./body_reader.ts";

interface Source {
  readonly body: ReadableStream<Uint8Array>;
  send(size: number): void;
  end(): void;
  readonly dropped: boolean;
}

/** A body that comes when the test says so. */
function source(): Source {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let dropped = false;
  const body = new ReadableStream<Uint8Array>({
    start: (own) => void (controller = own),
    cancel: () => void (dropped = true),
  });
  return {
    body,
    send: (size) => controller?.enqueue(new Uint8Array(size)),
    end: () => controller?.close(),
    get dropped() {
      return dropped;
    },
  };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

function setup(options: Omit<BodyReaderOptions, "clock"> = {}) {
  const clock = new VirtualClock();
  return { clock, reader: new BodyReader({ clock, ...options }) };
}

Deno.test("BodyReader gives up on a body that makes no progress, and on one that takes too long", async () => {
  const { clock, reader } = setup({ stall: seconds(10), total: seconds(25) });
  const [stuck, slow] = [source(), source()];
  const first = reader.read(stuck.body, null, 100);
  const second = reader.read(slow.body, null, 100);
  stuck.send(10);
  for (let i = 0; i < 3; i++) {
    slow.send(1);
    await settle();
    if (i === 0) assert.equal(reader.used, 11);
    await clock.advance(seconds(8));
  }
  assert.equal(await first, "BodyTimeout");
  assert.equal(reader.used, 3);
  slow.send(1);
  await settle();
  await clock.advance(seconds(1));
  assert.equal(await second, "BodyTimeout");
  assert.deepEqual([stuck.dropped, slow.dropped, reader.used, clock.size], [true, true, 0, 0]);
});

Deno.test("BodyReader holds no more than its budget over all bodies, until they are let go", async () => {
  const { clock, reader } = setup({ budget: bytes(100) });
  const sources = [source(), source(), source()] as const;
  const [first, second, third] = sources.map(({ body }) => reader.read(body, null, 1000));
  sources[0].send(60);
  await settle();
  sources[1].send(60);
  assert.equal(await second, "NodeBusy");
  assert.equal(sources[1].dropped, true);
  sources[2].send(40);
  await settle();
  // Full: the next one is not even begun.
  const late = source();
  assert.equal(await reader.read(late.body, "1", 1000), "NodeBusy");
  for (const one of [sources[0], sources[2]]) one.end();
  const bodies = await Promise.all([first, third]);
  assert.equal(reader.used, 100);
  for (const body of bodies) {
    assert.ok(typeof body === "object");
    body[Symbol.dispose]();
    body[Symbol.dispose]();
  }
  assert.deepEqual([reader.used, clock.size], [0, 0]);
});

Deno.test("BodyReader takes a body that is alone although it is larger than the budget", async () => {
  const { reader } = setup({ budget: bytes(100) });
  const one = source();
  const reading = reader.read(one.body, null, 1000);
  for (let i = 0; i < 3; i++) {
    one.send(70);
    await settle();
  }
  one.end();
  const body = await reading;
  assert.ok(typeof body === "object");
  assert.equal(body.bytes.length, 210);
});

Deno.test("BodyReader refuses what says or shows that it is too large, and lets go when a client leaves", async () => {
  const { clock, reader } = setup();
  assert.equal(await reader.read(source().body, "101", 100), "BodyTooLarge");
  const liar = source();
  const reading = reader.read(liar.body, "5", 100);
  liar.send(60);
  await settle();
  liar.send(60);
  assert.equal(await reading, "BodyTooLarge");
  const gone = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(new Uint8Array(5));
      controller.error(new Error("connection closed"));
    },
  });
  await assert.rejects(reader.read(gone, null, 100), /connection closed/);
  assert.deepEqual([reader.used, clock.size], [0, 0]);
});

Deno.test("BodyReader answers clients whose bodies stop on real connections, and keeps nothing of theirs", async () => {
  const reader = new BodyReader({ clock: systemClock, stall: ms(50) });
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      const result = request.body && await reader.read(request.body, null, 2000);
      return new Response(String(result), { status: 408, headers: { connection: "close" } });
    },
  );
  const head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n";
  const answers = await Promise.all(Array.from({ length: 20 }, async () => {
    using connection = await Deno.connect({ port: server.addr.port });
    await connection.write(new TextEncoder().encode(`${head}${"x".repeat(900)}`));
    const room = new Uint8Array(1000);
    let answer = "";
    while (!answer.endsWith("BodyTimeout")) {
      const size = await connection.read(room);
      if (size === null) break;
      answer += new TextDecoder().decode(room.subarray(0, size));
    }
    return answer;
  }));
  for (const answer of answers) assert.match(answer, /^HTTP\/1\.1 408 .*BodyTimeout$/s);
  assert.equal(reader.used, 0);
  await server.shutdown();
});
