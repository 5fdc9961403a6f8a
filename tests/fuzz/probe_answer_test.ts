import assert from "node:assert/strict";
import fc from "fast-check";
import { HttpResponseReader } from "../../agent/pods/probes/http_response.ts";
import { AppError } from "../../core/base/mod.ts";

/** Reads pieces to the end, as a probe does. The answer, or what was wrong with it. */
function read(pieces: readonly Uint8Array[]): unknown {
  const reader = new HttpResponseReader();
  try {
    for (const piece of pieces) if (reader.push(piece)) break;
    return reader.end();
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    return error.message;
  }
}

const WORDS = [
  "HTTP/1.1 200 OK\r\n",
  "HTTP/1.0 302 Found\n",
  "HTTP/1.1 100 Continue\r\n\r\n",
  "Content-Length: 5\r\n",
  "Content-Length: 99999999999999999999\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Location: /x\r\n",
  "\r\n",
  "\n",
  "5\r\nhello\r\n",
  "0\r\n\r\n",
  "ffffffffffff\r\n",
  "body",
];
/** Bytes that come near to an answer, and others. */
const bytes = fc.oneof(
  fc.array(fc.constantFrom(...WORDS), { maxLength: 12 })
    .map((words) => new TextEncoder().encode(words.join(""))),
  fc.uint8Array({ maxLength: 200 }),
);

Deno.test("fuzz: a probe's answer is read or refused, the same however its bytes are cut", () => {
  fc.assert(
    fc.property(bytes, fc.array(fc.nat(200), { maxLength: 6 }), (all, cuts) => {
      const places = [
        0,
        ...cuts.filter((cut) => cut < all.length).sort((a, b) => a - b),
        all.length,
      ];
      const pieces = places.slice(1).map((end, at) => all.subarray(places[at], end));
      assert.deepEqual(read(pieces.filter((piece) => piece.length > 0)), read([all]));
    }),
    { numRuns: 2000 },
  );
});
