import assert from "node:assert/strict";
import fc from "fast-check";
import { bytes, isAppError } from "../../../../core/base/mod.ts";
import { encodeFrame, FrameDecoder } from "./frame.ts";

Deno.test("FrameDecoder returns the messages however the bytes are cut", () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
  fc.assert(
    fc.property(messages, fc.infiniteStream(fc.integer({ min: 1, max: 9 })), (sent, cuts) => {
      const stream = Uint8Array.from(sent.flatMap((message) => [...encodeFrame(message)]));
      const decoder = new FrameDecoder(bytes(40));
      const got: Uint8Array[] = [];
      for (let at = 0; at < stream.length;) {
        const next = at + Number(cuts.next().value);
        got.push(...decoder.push(stream.subarray(at, next)));
        at = next;
      }
      assert.deepEqual(got, sent.map((message) => new Uint8Array(message)));
      assert.ok(decoder.atBoundary);
    }),
  );
});

Deno.test("FrameDecoder refuses a long message before it allocates", () => {
  const decoder = new FrameDecoder(bytes(1024));
  const huge = Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff);
  assert.throws(() => decoder.push(huge), (error) => isAppError(error, "RequestEntityTooLarge"));
});

Deno.test("FrameDecoder refuses a compressed message", () => {
  const decoder = new FrameDecoder(bytes(1024));
  assert.throws(
    () => decoder.push(Uint8Array.of(1, 0, 0, 0, 0)),
    (error) => isAppError(error, "Unsupported"),
  );
});

Deno.test("FrameDecoder knows that a message is cut short", () => {
  const decoder = new FrameDecoder(bytes(1024));
  assert.deepEqual(decoder.push(Uint8Array.of(0, 0, 0)), []);
  assert.equal(decoder.atBoundary, false);
  assert.deepEqual(decoder.push(Uint8Array.of(0, 2, 9)), []);
  assert.equal(decoder.atBoundary, false);
  assert.deepEqual(decoder.push(Uint8Array.of(8)), [Uint8Array.of(9, 8)]);
  assert.equal(decoder.atBoundary, true);
});

Deno.test("FrameDecoder meets any bytes with messages or an AppError", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), (chunks) => {
    const decoder = new FrameDecoder(bytes(256));
    try {
      for (const chunk of chunks) decoder.push(chunk);
    } catch (error) {
      assert.ok(isAppError(error), String(error));
    }
  }));
});
