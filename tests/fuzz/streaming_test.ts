import assert from "node:assert/strict";
import fc from "fast-check";
import type { Pod } from "../../core/api/mod.ts";
import { AppError, seconds, VirtualClock } from "../../core/base/mod.ts";
import {
  parseTarget,
  planUpgrade,
  readHeader,
  RequestHeader,
  ResponseHead,
  SpdyDecoder,
  translateRemoteCommand,
  UpgradedHead,
  UpgradeHeader,
} from "../../core/streaming/mod.ts";
import {
  type Bytes,
  clientFrame,
  FrameDecoder,
  joinBytes,
  OP,
  readAnswerHead,
  serverFrame,
} from "../../core/wire/mod.ts";
import { channelPair } from "../../core/wire/testing.ts";

const rubbish = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 6 }) as fc.Arbitrary<
  Bytes[]
>;

/** Frames of both kinds, cut and changed anywhere. */
const frames = fc.array(
  fc.oneof(
    fc.tuple(fc.constantFrom(0, 1, 2, 8, 9, 10, 5), fc.uint8Array({ maxLength: 300 })).map(
      ([op, payload]) => clientFrame(op, payload),
    ),
    fc.uint8Array({ maxLength: 300 }).map((payload) => serverFrame(OP.binary, payload)),
    fc.tuple(fc.nat(12), fc.nat(3), fc.uint8Array({ maxLength: 40 })).map((
      [type, flags, payload],
    ) => new Uint8Array([0x80, 3, 0, type, flags, 0, 0, payload.length, ...payload])),
    fc.uint8Array({ minLength: 1, maxLength: 40 }).map((payload) =>
      new Uint8Array([0, 0, 0, (payload[0] ?? 0) % 11, 0, 0, 0, payload.length, ...payload])
    ),
  ),
  { maxLength: 8 },
).chain((list) => {
  const whole = joinBytes(list);
  return fc.tuple(fc.nat(whole.length), fc.nat(255), fc.boolean()).map(([at, byte, change]) => {
    if (change) whole[at] = byte;
    return [whole.subarray(0, at), whole.subarray(at)] as Bytes[];
  });
});

const inputs = fc.oneof(rubbish, frames);

/** Runs `fn`; whatever it throws must be an `AppError`. */
async function onlyAppError(fn: () => unknown): Promise<void> {
  try {
    await fn();
  } catch (error) {
    assert.ok(error instanceof AppError, `threw ${error}`);
  }
}

Deno.test("the decoders of WebSocket and SPDY throw nothing but AppError, and make no bytes", async () => {
  await fc.assert(fc.asyncProperty(inputs, async (chunks) => {
    for (const from of ["client", "server"] as const) {
      const decoders = [new FrameDecoder({ from, messageCap: 1000 }), new SpdyDecoder()];
      for (const decoder of decoders) {
        await onlyAppError(() => {
          let given = 0;
          for (const chunk of chunks) {
            for (const event of decoder.push(chunk)) {
              if ("bytes" in event) given += event.bytes.byteLength;
            }
          }
          assert.ok(given <= joinBytes(chunks).byteLength);
        });
      }
    }
  }));
});

Deno.test("readAnswerHead() throws nothing but AppError", async () => {
  const lines = fc.array(fc.constantFrom("HTTP/1.1 101 x", "a: b", "\r\n", "\r\n\r\n", ":", " "));
  const texts = lines.map((list) => [new TextEncoder().encode(list.join(""))]);
  await fc.assert(fc.asyncProperty(fc.oneof(rubbish, texts), async (chunks) => {
    const [ours, theirs] = channelPair();
    for (const chunk of chunks) await theirs.write(chunk);
    theirs.close();
    await onlyAppError(() => readAnswerHead(ours, "it"));
  }));
});

Deno.test("headers of the tunnel and of upgrades, and queries, are read or refused", async () => {
  const schemas = [RequestHeader, ResponseHead, UpgradeHeader, UpgradedHead];
  const parts = fc.dictionary(
    fc.constantFrom("kind", "method", "path", "target", "offer", "protocols", "upgrade", "status"),
    fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom("upgrade", "request", "GET", "/x")),
  );
  const headers = fc.dictionary(
    fc.constantFrom(
      "upgrade",
      "sec-websocket-protocol",
      "sec-websocket-key",
      "x-stream-protocol-version",
    ),
    fc.oneof(fc.stringMatching(/^[ -~]*$/), fc.constantFrom("websocket", "SPDY/3.1")),
  );
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p" },
    spec: { containers: [{ name: "c", image: "i" }] },
  };
  await fc.assert(
    fc.asyncProperty(parts, headers, fc.webQueryParameters(), async (value, head, query) => {
      for (const schema of schemas) await onlyAppError(() => readHeader<unknown>(schema, value));
      for (const kind of ["remote-command", "port-forward"] as const) {
        await onlyAppError(() => planUpgrade(new Headers(head), kind));
      }
      for (const verb of ["exec", "attach", "portforward"] as const) {
        const asked = new URLSearchParams(`${query}&command=x&stdout=1`);
        await onlyAppError(() => parseTarget(verb, asked, pod, "api"));
      }
    }),
  );
});

Deno.test("translateRemoteCommand() ends and frees everything, whatever both sides say", async () => {
  await fc.assert(fc.asyncProperty(inputs, inputs, fc.boolean(), async (up, down, tty) => {
    const clock = new VirtualClock();
    const [client, clientEnd] = channelPair();
    const [server, serverEnd] = channelPair();
    const wants = { container: "c", stdin: true, stdout: true, stderr: !tty, tty };
    const done = translateRemoteCommand(
      { client: clientEnd, server: serverEnd },
      wants,
      { clock, signal: new AbortController().signal },
    );
    const say = async (to: typeof client, chunks: Bytes[]): Promise<void> => {
      for (const chunk of chunks) await to.write(chunk).catch(() => {});
      to.close();
    };
    await Promise.all([say(client, up), say(server, down)]);
    let over = false;
    void done.then(() => over = true);
    for (let step = 0; step < 10 && !over; step++) await clock.advance(seconds(1));
    assert.ok(over, "it has not ended");
    assert.equal(clock.size, 0, "a timer is left");
  }));
});
