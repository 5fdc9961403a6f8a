import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeResponse, type GuestRequest, REQUEST_HEAD, RequestEncoder } from "./envelope.ts";

/** Reads a request as a guest would, by docs/guest-abi.md alone. */
function readRequest(bytes: Uint8Array): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = REQUEST_HEAD;
  const take = (size: number): Uint8Array => bytes.subarray(at, at += size);
  const text = (size: number): string => new TextDecoder().decode(take(size));
  const word = (index: number): number => view.getUint32(index * 4, true);
  const [method, path, query] = [text(word(1)), text(word(2)), text(word(3))];
  const headersEnd = at + word(5);
  const headers: [string, string][] = [];
  for (let i = 0; i < word(4); i++) {
    const [name, value] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    at += 8;
    headers.push([text(name), text(value)]);
  }
  assert.equal(at, headersEnd);
  const body = take(word(6));
  assert.equal(at, bytes.length);
  return { version: word(0), method, path, query, headers, body: [...body] };
}

Deno.test("RequestEncoder writes what a guest reads back, for any request", () => {
  const encoder = new RequestEncoder();
  fc.assert(fc.property(
    fc.record({
      method: fc.constantFrom("GET", "POST"),
      path: fc.string({ unit: "grapheme", maxLength: 200 }),
      query: fc.string({ maxLength: 100 }),
      headers: fc.array(fc.tuple(fc.stringMatching(/^x-[a-z]{1,20}$/), fc.string()), {
        maxLength: 30,
      }),
      body: fc.uint8Array({ maxLength: 40_000 }),
    }),
    (request: GuestRequest) => {
      const { method, path, query, headers, body } = request;
      const well = path.isWellFormed() && query.isWellFormed();
      fc.pre(well && [...headers].every(([, value]) => value.isWellFormed()));
      assert.deepEqual(readRequest(encoder.encode(request)), {
        ...{ version: 1, method, path, query },
        headers: [...headers],
        body: [...body],
      });
    },
  ));
});

Deno.test("RequestEncoder leaves out the headers of the connection", () => {
  const bytes = new RequestEncoder().encode({
    ...{ method: "GET", path: "/", query: "", body: new Uint8Array() },
    headers: [["connection", "close"], ["x", "1"], ["transfer-encoding", "chunked"]],
  });
  assert.deepEqual((readRequest(bytes) as { headers: unknown }).headers, [["x", "1"]]);
});

Deno.test("decodeResponse() never throws and reads only what adds up, for any bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    const result = decodeResponse(bytes as Uint8Array<ArrayBuffer>);
    assert.ok(typeof result === "string" || result.status >= 200);
  }));
  const words = fc.array(fc.nat({ max: 300 }), { minLength: 5, maxLength: 40 });
  fc.assert(fc.property(words, (list) => {
    const bytes = new Uint8Array(new Uint32Array([1, 200, ...list]).buffer);
    const result = decodeResponse(bytes);
    if (typeof result === "string") return;
    for (const [name, value] of result.headers) new Headers([[name, value]]);
  }));
});

Deno.test("decodeResponse() drops content-length and connection headers of a guest", () => {
  const parts: number[] = [];
  const word = (value: number): void => void parts.push(value & 255, value >> 8, 0, 0);
  const headers = [["Content-Length", "9"], ["connection", "x"], ["X-Ok", "yes"]];
  const block = headers.reduce((sum, [a = "", b = ""]) => sum + 8 + a.length + b.length, 0);
  [1, 200, headers.length, block, 0].forEach(word);
  for (const [name = "", value = ""] of headers) {
    word(name.length);
    word(value.length);
    parts.push(...new TextEncoder().encode(name + value));
  }
  const result = decodeResponse(new Uint8Array(parts));
  assert.ok(typeof result !== "string");
  assert.deepEqual(result.headers, [["x-ok", "yes"]]);
});
