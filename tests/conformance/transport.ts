import assert from "node:assert/strict";
import { isAppError, seconds, silentLogger, sleep, systemClock } from "../../core/base/mod.ts";
import {
  type Acceptor,
  CLOSE,
  type Connection,
  createStream,
  type Dialer,
  LINK,
  Session,
} from "../../core/link/mod.ts";

/** One transport under test: a hub's side, one node's side, and a way to break what is open. */
export interface TransportRig extends AsyncDisposable {
  readonly acceptor: Acceptor;
  readonly dialer: Dialer;
  /** The name that the hub must see. */
  readonly node: string;
  /** Breaks every connection without a goodbye. */
  cut(): void;
}

interface Pair {
  readonly hub: Connection;
  readonly node: Connection;
  readonly path: string;
}

const never = new AbortController().signal;

async function connect(rig: TransportRig, path = "/v1/link"): Promise<Pair> {
  const accepted = Promise.withResolvers<[Connection, string]>();
  rig.acceptor.onConnection((connection, path) => accepted.resolve([connection, path]));
  const node = await rig.dialer.dial(path, never);
  const [hub, seen] = await accepted.promise;
  return { hub, node, path: seen };
}

/** The rules that every `Connection` keeps, and sessions and streams on top of it. */
export function transportConformance(name: string, makeRig: () => Promise<TransportRig>): void {
  const test = (what: string, run: (rig: TransportRig) => Promise<void>): void => {
    Deno.test(`${name}: ${what}`, async () => {
      await using rig = await makeRig();
      await run(rig);
    });
  };
  connectionTests(test);
  endTests(test);
  sessionTests(test);
  streamTests(test);
}

type Test = (what: string, run: (rig: TransportRig) => Promise<void>) => void;

function connectionTests(test: Test): void {
  test("dial() reaches the hub with the node's name and path", async (rig) => {
    const { hub, path } = await connect(rig, "/v1/stream/abc");
    assert.equal(hub.peer.name, rig.node);
    assert.equal(path, "/v1/stream/abc");
  });

  test("send() delivers text and bytes both ways in order", async (rig) => {
    const { hub, node } = await connect(rig);
    for (const [from, to] of [[hub, node], [node, hub]] as const) {
      for (let i = 0; i < 200; i++) {
        await from.send(i % 2 ? `text ${i} \u{1F30A}` : new Uint8Array([i, 0, 255]));
      }
      for (let i = 0; i < 200; i++) {
        const frame = await to.receive();
        if (i % 2) assert.equal(frame, `text ${i} \u{1F30A}`);
        else assert.deepEqual(frame, new Uint8Array([i, 0, 255]));
      }
    }
  });

  test("send() takes a frame of exactly the cap and refuses one more byte", async (rig) => {
    const { hub, node } = await connect(rig);
    const full = new Uint8Array(LINK.frameCap).fill(7);
    const got = hub.receive();
    await node.send(full);
    assert.deepEqual(await got, full);
    for (const side of [hub, node]) {
      await assert.rejects(
        side.send("x".repeat(LINK.frameCap + 1)),
        (error) => isAppError(error, "RequestEntityTooLarge"),
      );
      await assert.rejects(
        side.send("\u20ac".repeat(LINK.frameCap / 2)),
        (error) => isAppError(error, "RequestEntityTooLarge"),
        "the cap counts bytes, not characters",
      );
    }
  });

  test("send() to a side that does not read waits, or the connection ends", async (rig) => {
    const { hub, node } = await connect(rig, "/v1/stream/x");
    const frame = new Uint8Array(512 * 1024);
    let sent = 0;
    let over = false;
    const sending = (async () => {
      for (;;) {
        await node.send(frame);
        sent++;
      }
    })().catch(() => over = true);
    for (let before = -1; before !== sent && !over;) {
      before = sent;
      await sleep(systemClock, seconds(0.25));
    }
    assert.ok(sent < 100, `${sent} frames of 512 KiB went out unread`);
    if (over) assert.equal((await hub.closed).code, CLOSE.protocol);
    node.close(CLOSE.bye, "done");
    await sending;
  });
}

function endTests(test: Test): void {
  test("close() tells the other side code and reason, after what was sent", async (rig) => {
    for (const way of ["hub", "node"] as const) {
      const pair = await connect(rig);
      const [closer, other] = way === "hub" ? [pair.hub, pair.node] : [pair.node, pair.hub];
      await closer.send("last words");
      closer.close(CLOSE.replaced, "newer session");
      closer.close(CLOSE.bye, "twice is harmless");
      assert.deepEqual(await closer.closed, { code: CLOSE.replaced, reason: "newer session" });
      assert.deepEqual(await other.closed, { code: CLOSE.replaced, reason: "newer session" });
      assert.equal(await other.receive(), "last words");
      assert.equal(await other.receive(), undefined);
      assert.equal(await closer.receive(), undefined);
      for (const side of [closer, other]) {
        await assert.rejects(side.send("x"), (error) => isAppError(error, "ServiceUnavailable"));
      }
    }
  });

  test("close() loses nothing that was sent before it", async (rig) => {
    for (const way of ["hub", "node"] as const) {
      const pair = await connect(rig);
      const [closer, other] = way === "hub" ? [pair.hub, pair.node] : [pair.node, pair.hub];
      const sends: Promise<void>[] = [];
      for (let i = 0; i < 40; i++) sends.push(closer.send(new Uint8Array(64 * 1024).fill(i)));
      closer.close(CLOSE.bye, "done");
      await Promise.allSettled(sends);
      for (let i = 0; i < 40; i++) {
        const frame = await other.receive();
        assert.ok(frame instanceof Uint8Array && frame.length === 64 * 1024 && frame[9] === i);
      }
      assert.equal(await other.receive(), undefined);
      assert.equal((await other.closed).code, CLOSE.bye);
    }
  });

  test("a broken connection ends both sides", async (rig) => {
    const { hub, node } = await connect(rig);
    const waiting = node.receive();
    rig.cut();
    assert.equal(await waiting, undefined);
    assert.equal((await node.closed).code, CLOSE.broken);
    assert.equal((await hub.closed).code, CLOSE.broken);
  });

  test("a handler that throws refuses the connection", async (rig) => {
    rig.acceptor.onConnection(() => {
      throw new Error("no");
    });
    const refused = rig.dialer.dial("/v1/link", never).then((connection) => connection.closed);
    await refused.then((closed) => assert.ok(closed.code >= 4000), (error) => {
      assert.ok(isAppError(error, "Forbidden", "ServiceUnavailable"));
    });
  });

  test("dial() rejects with the signal's reason when it is aborted", async (rig) => {
    const reason = new Error("changed my mind");
    await assert.rejects(rig.dialer.dial("/v1/link", AbortSignal.abort(reason)), reason);
  });
}

function sessionTests(test: Test): void {
  const options = { clock: systemClock, log: silentLogger };

  test("Session carries messages, large ones in parts, and calls", async (rig) => {
    const { hub, node } = await connect(rig);
    const hubSide = new Session({
      ...options,
      connection: hub,
      onCall: (method, body) => Promise.resolve({ method, body }),
    });
    const nodeSide = new Session({ ...options, connection: node });
    const text = '\u20ac\\"\u{1F30A}'.repeat(300_000);
    await nodeSide.send({ t: "big", text });
    const got = await hubSide.receive();
    assert.equal(got?.t, "big");
    assert.ok(got.text === text, "the text came through the parts unchanged");
    assert.deepEqual(await nodeSide.call("echo", [1]), { method: "echo", body: [1] });
    nodeSide.close(CLOSE.bye, "done");
    assert.equal(await hubSide.receive(), undefined);
  });

  test("Session ends with 4400 when the peer sends rubbish", async (rig) => {
    for (
      const rubbish of [
        "{",
        "[]",
        "{}",
        '{"t":1}',
        `{"t":"a","b":${"[".repeat(101)}`,
        new Uint8Array(3),
      ]
    ) {
      const { hub, node } = await connect(rig);
      const session = new Session({ ...options, connection: hub });
      await node.send(rubbish);
      const { code } = await node.closed;
      assert.ok(code === CLOSE.protocol || code === CLOSE.tooLarge, `${code}`);
      assert.equal(await session.receive(), undefined);
    }
  });
}

function streamTests(test: Test): void {
  test("Stream carries bytes both ways with half-close and back-pressure", async (rig) => {
    const pair = await connect(rig, "/v1/stream/y");
    const hub = createStream(pair.hub, { clock: systemClock });
    const node = createStream(pair.node, { clock: systemClock });
    const total = 3 * 1024 * 1024 + 17;
    const sending = (async () => {
      const writer = hub.writable.getWriter();
      for (let at = 0; at < total;) {
        const size = Math.min(100_000, total - at);
        await writer.write(new Uint8Array(size).fill(at % 251));
        at += size;
      }
      await writer.close();
    })();
    let got = 0;
    for await (const chunk of node.readable) got += chunk.byteLength;
    await sending;
    assert.equal(got, total);
    // The hub has ended its direction; the node's still works.
    const writer = node.writable.getWriter();
    await writer.write(new TextEncoder().encode("answer"));
    await writer.close();
    assert.equal(await new Response(hub.readable).text(), "answer");
    assert.equal((await hub.closed).code, CLOSE.bye);
    assert.equal((await node.closed).code, CLOSE.bye);
  });

  test("Stream stops the writer when the reader does not read", async (rig) => {
    const pair = await connect(rig, "/v1/stream/z");
    const hub = createStream(pair.hub, { clock: systemClock });
    const node = createStream(pair.node, { clock: systemClock });
    const writer = hub.writable.getWriter();
    let written = 0;
    const sending = (async () => {
      for (;;) {
        await writer.write(new Uint8Array(64 * 1024));
        written += 64 * 1024;
      }
    })();
    await sleep(systemClock, seconds(0.3));
    assert.ok(written <= LINK.streamWindow + 128 * 1024, `${written} bytes went out unread`);
    node.close("enough");
    await assert.rejects(sending, (error) => isAppError(error, "ServiceUnavailable"));
    await assert.rejects(new Response(node.readable).text());
    await assert.rejects(hub.readable.getReader().read());
  });
}
