import assert from "node:assert/strict";
import { type HttpResponse, HttpResponseReader } from "./http_response.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Reads `text` in pieces of `size` bytes; the connection ends after it. */
function read(text: string, size = Infinity): { response: HttpResponse; left: number } {
  const reader = new HttpResponseReader();
  const bytes = encode(text);
  let at = 0;
  while (at < bytes.length) {
    const part = bytes.subarray(at, at + Math.min(size, bytes.length));
    at += part.length;
    if (reader.push(part)) break;
  }
  return { response: reader.end(), left: bytes.length - at };
}

const GOOD: [name: string, text: string, expected: HttpResponse][] = [
  ["a length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", { status: 200, body: "ok" }],
  ["no body", "HTTP/1.1 204 No Content\r\n\r\n", { status: 204, body: "" }],
  ["a body up to the end", "HTTP/1.0 200 OK\r\n\r\nall of it", { status: 200, body: "all of it" }],
  ["bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", { status: 200, body: "x" }],
  ["no reason", "HTTP/1.1 503\r\ncontent-length:0\r\n\r\n", { status: 503, body: "" }],
  [
    "chunks with an extension and a trailer",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\n\r\n",
    { status: 200, body: "hello" },
  ],
  ["a redirect", "HTTP/1.1 302 Found\r\nLOCATION:  /a b \r\nContent-Length: 0\r\n\r\n", {
    status: 302,
    location: "/a b",
    body: "",
  }],
  [
    "informational answers before it",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
    { status: 200, body: "x" },
  ],
];
for (const [name, text, expected] of GOOD) {
  Deno.test(`HttpResponseReader reads ${name}, however the bytes are cut`, () => {
    for (const size of [1, 2, 3, 7, Infinity]) {
      assert.deepEqual(read(text, size).response, expected);
    }
  });
}

Deno.test("HttpResponseReader wants nothing after a complete answer or 10 KiB of it", () => {
  assert.equal(read("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxyz", 1).left, 2);
  const long = `HTTP/1.1 200 OK\r\n\r\n${"x".repeat(100_000)}`;
  const { response, left } = read(long, 1000);
  assert.equal(response.body.length, 10 * 1024);
  assert.ok(left > 80_000);
});

const BAD: [name: string, text: string, expected: RegExp][] = [
  ["nothing", "", /EOF$/],
  ["half a head", "HTTP/1.1 200 OK\r\nA: b", /ended in its head/],
  ["no HTTP", "SSH-2.0-OpenSSH_9\r\n\r\n", /malformed HTTP response "SSH-2.0/],
  ["HTTP/2", "HTTP/2 200 OK\r\n\r\n", /malformed/],
  ["half a body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", /unexpected EOF/],
  [
    "half a chunk",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    /unexpected EOF/,
  ],
  ["a bad length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", /bad Content-Length/],
  ["a bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", /chunked/],
  ["an endless head", `HTTP/1.1 200 OK\r\nA: ${"b".repeat(100_000)}`, /head is too long/],
  [
    "an endless chunk line",
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${"1".repeat(5000)}`,
    /line is too long/,
  ],
  ["no end of 1xx", "HTTP/1.1 100 Continue\r\n\r\n".repeat(9), /too many 1xx/],
];
for (const [name, text, expected] of BAD) {
  Deno.test(`HttpResponseReader refuses ${name}`, () => {
    for (const size of [1, Infinity]) assert.throws(() => read(text, size), expected);
  });
}
