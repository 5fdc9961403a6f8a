import assert from "node:assert/strict";
import fc from "fast-check";
import { UnaryConnection } from "../../agent/plugins/http2/connection.ts";
import { encodeHttp2Frame, FRAME, FrameReader, PREFACE } from "../../agent/plugins/http2/frames.ts";
import { joinBytes } from "../../core/wire/mod.ts";

const SETTINGS = encodeHttp2Frame({
  type: FRAME.settings,
  flags: 0,
  stream: 0,
  payload: new Uint8Array(),
});

const anyFrame = fc.record({
  type: fc.integer({ min: 0, max: 11 }),
  flags: fc.integer({ min: 0, max: 255 }),
  stream: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 0x7fffffff })),
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    // A gRPC message of its own length, so that some calls come through.
    fc.uint8Array({ maxLength: 40 }).map((body) =>
      joinBytes([Uint8Array.of(0, 0, 0, 0, body.length), body])
    ),
  ),
});

/** A session that begins well, with frames at random, now and then cut or with a byte changed. */
const session = fc.tuple(fc.array(anyFrame, { maxLength: 60 }), fc.nat(), fc.nat(255), fc.boolean())
  .map(([frames, at, byte, spoil]) => {
    const bytes = joinBytes([PREFACE, SETTINGS, ...frames.map(encodeHttp2Frame)]);
    if (spoil) bytes[at % bytes.length] = byte;
    return bytes;
  });

/** Everything that a server sends is frames; it never says more than a little for each byte it got. */
function feed(machine: UnaryConnection, bytes: Uint8Array, size: number): void {
  const sent: Uint8Array[] = [machine.hello()];
  let closed = false;
  for (let at = 0; at < bytes.length; at += size) {
    const { out, calls, close } = machine.receive(bytes.subarray(at, at + size));
    assert.ok(!closed || (out.length === 0 && calls.length === 0), "said something after its end");
    closed ||= close;
    sent.push(out);
    for (const { stream, message } of calls) {
      assert.ok(message.length <= 65_536);
      sent.push(machine.answer(stream, message.length % 2 ? new Error("no") : undefined));
    }
  }
  sent.push(machine.end());
  const all = joinBytes(sent);
  assert.ok(all.length <= 200 + bytes.length * 40, `${all.length} bytes for ${bytes.length}`);
  const frames = [...new FrameReader().push(joinBytes([PREFACE, all]))];
  assert.equal(frames.reduce((sum, { payload }) => sum + 9 + payload.length, 0), all.length);
}

Deno.test("UnaryConnection takes any frames without a throw", () => {
  fc.assert(
    fc.property(session, fc.integer({ min: 1, max: 500 }), (bytes, size) => {
      feed(new UnaryConnection(), bytes, size);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("UnaryConnection takes any bytes without a throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, greeted) => {
      feed(new UnaryConnection(), greeted ? joinBytes([PREFACE, SETTINGS, bytes]) : bytes, 100);
    }),
    { numRuns: 2000 },
  );
});
