import assert from "node:assert/strict";
import { AppError } from "../../../core/base/mod.ts";
import { joinBytes } from "../../../core/wire/mod.ts";
import { UnaryConnection } from "./connection.ts";
import { literalHeaders } from "./answer.ts";
import { encodeHttp2Frame, FLAG, FRAME, type Frame, FrameReader } from "./frames.ts";
import { HTTP2_ERROR, PREFACE } from "./frames.ts";

const EMPTY = new Uint8Array();
const frame = (type: number, stream: number, payload: Uint8Array = EMPTY, flags = 0): Uint8Array =>
  encodeHttp2Frame({ type, stream, payload, flags });
const SETTINGS = frame(FRAME.settings, 0);
const START = joinBytes([PREFACE, SETTINGS]);
const headers = (stream: number, flags: number = FLAG.endHeaders): Uint8Array =>
  frame(
    FRAME.headers,
    stream,
    literalHeaders([[":path", "/v1beta1.Registration/Register"]]),
    flags,
  );

function grpc(message: Uint8Array, flag = 0, length = message.length): Uint8Array {
  const prefix = new Uint8Array(5);
  prefix[0] = flag;
  new DataView(prefix.buffer).setUint32(1, length);
  return joinBytes([prefix, message]);
}

/** The frames in what a server sent. */
function framesOf(bytes: Uint8Array): Frame[] {
  return [...new FrameReader().push(joinBytes([PREFACE, bytes]))];
}

const types = (bytes: Uint8Array): number[] => framesOf(bytes).map(({ type }) => type);

/** What closed the connection: the code of the GOAWAY. */
function goneFor(machine: UnaryConnection, bytes: Uint8Array): number | undefined {
  const { out, close } = machine.receive(bytes);
  const last = framesOf(out).find(({ type }) => type === FRAME.goAway);
  assert.equal(close, last !== undefined);
  return last && new DataView(last.payload.buffer, last.payload.byteOffset).getUint32(4);
}

Deno.test("UnaryConnection takes a call and answers it with a message and trailers", () => {
  const machine = new UnaryConnection();
  assert.deepEqual(types(machine.hello()), [FRAME.settings]);
  const message = Uint8Array.of(1, 2, 3);
  const { out, calls, close } = machine.receive(
    joinBytes([START, headers(1), frame(FRAME.data, 1, grpc(message), FLAG.endStream)]),
  );
  assert.deepEqual(types(out), [FRAME.settings, FRAME.windowUpdate]);
  assert.deepEqual(calls.map(({ stream, message }) => [stream, [...message]]), [[1, [1, 2, 3]]]);
  assert.equal(close, false);
  assert.equal(machine.busy, true);
  const [head, data, trailers] = framesOf(machine.answer(1));
  assert.deepEqual(
    head?.payload,
    literalHeaders([
      [":status", "200"],
      ["content-type", "application/grpc"],
    ]),
  );
  assert.deepEqual([...data?.payload ?? []], [0, 0, 0, 0, 0]);
  assert.deepEqual(trailers?.payload, literalHeaders([["grpc-status", "0"]]));
  assert.equal(trailers?.flags, FLAG.endHeaders | FLAG.endStream);
  assert.equal(machine.answer(1).length, 0, "a call is answered once");
});

Deno.test("UnaryConnection reads the same call however its bytes are cut", () => {
  const block = literalHeaders([["x", "y".repeat(200)]]);
  const padded = joinBytes([Uint8Array.of(3), grpc(Uint8Array.of(9, 9)), new Uint8Array(3)]);
  const bytes = joinBytes([
    START,
    frame(FRAME.headers, 1, block.subarray(0, 50)),
    frame(FRAME.continuation, 1, block.subarray(50, 60)),
    frame(FRAME.continuation, 1, block.subarray(60), FLAG.endHeaders),
    frame(FRAME.data, 1, padded, FLAG.padded),
    frame(FRAME.data, 1, EMPTY, FLAG.endStream),
  ]);
  for (const size of [1, 2, 7, 64, bytes.length]) {
    const machine = new UnaryConnection();
    const calls = [];
    for (let at = 0; at < bytes.length; at += size) {
      calls.push(...machine.receive(bytes.subarray(at, at + size)).calls);
    }
    assert.deepEqual(calls.map(({ message }) => [...message]), [[9, 9]], `cut at ${size}`);
  }
});

Deno.test("UnaryConnection tells an error in trailers alone, percent-encoded", () => {
  const machine = new UnaryConnection();
  machine.receive(
    joinBytes([START, headers(1), frame(FRAME.data, 1, grpc(EMPTY), FLAG.endStream)]),
  );
  const [only, ...more] = framesOf(machine.answer(1, new AppError("Invalid", "100% größer")));
  assert.deepEqual(more, []);
  assert.equal(only?.flags, FLAG.endHeaders | FLAG.endStream);
  const text = new TextDecoder().decode(only?.payload);
  assert.match(text, /grpc-status.3/);
  assert.match(text, /100%25 gr%C3%B6%C3%9Fer/);
});

Deno.test.each([
  ["no message", frame(FRAME.data, 1, EMPTY, FLAG.endStream), "3"],
  ["a compressed message", frame(FRAME.data, 1, grpc(EMPTY, 1), FLAG.endStream), "12"],
  ["half a message", frame(FRAME.data, 1, grpc(EMPTY, 0, 7), FLAG.endStream), "3"],
  [
    "a message that is too long",
    joinBytes(Array.from({ length: 5 }, () => frame(FRAME.data, 1, new Uint8Array(16_000)))),
    "8",
  ],
])("UnaryConnection refuses %s and goes on", (_, data, status) => {
  const machine = new UnaryConnection();
  const { out, calls, close } = machine.receive(joinBytes([START, headers(1), data]));
  assert.deepEqual(calls, []);
  assert.equal(close, false);
  const answer = framesOf(out).find(({ type }) => type === FRAME.headers);
  assert.match(new TextDecoder().decode(answer?.payload), new RegExp(`grpc-status.${status}`));
  const next = joinBytes([headers(3), frame(FRAME.data, 3, grpc(EMPTY), FLAG.endStream)]);
  assert.equal(machine.receive(next).calls.length, 1);
});

const setting = (id: number, value: number): Uint8Array => {
  const payload = new Uint8Array(6);
  new DataView(payload.buffer).setUint16(0, id);
  new DataView(payload.buffer).setUint32(2, value);
  return frame(FRAME.settings, 0, payload);
};

Deno.test.each([
  [
    "no HTTP/2",
    new TextEncoder().encode("GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
    HTTP2_ERROR.protocol,
  ],
  ["no SETTINGS first", joinBytes([PREFACE, headers(1)]), HTTP2_ERROR.protocol],
  ["an even stream", joinBytes([START, headers(2)]), HTTP2_ERROR.protocol],
  ["a stream twice", joinBytes([START, headers(3), headers(1)]), HTTP2_ERROR.protocol],
  ["DATA of no stream", joinBytes([START, frame(FRAME.data, 1)]), HTTP2_ERROR.protocol],
  ["PUSH_PROMISE", joinBytes([START, frame(FRAME.pushPromise, 1)]), HTTP2_ERROR.protocol],
  ["CONTINUATION alone", joinBytes([START, frame(FRAME.continuation, 1)]), HTTP2_ERROR.protocol],
  ["a broken block", joinBytes([START, headers(1, 0), headers(3)]), HTTP2_ERROR.protocol],
  [
    "RST_STREAM of no stream",
    joinBytes([START, frame(FRAME.rstStream, 1, new Uint8Array(4))]),
    HTTP2_ERROR.protocol,
  ],
  [
    "a short PING",
    joinBytes([START, frame(FRAME.ping, 0, new Uint8Array(7))]),
    HTTP2_ERROR.frameSize,
  ],
  [
    "a long frame",
    joinBytes([START, Uint8Array.of(0, 64, 1, 0, 0, 0, 0, 0, 0)]),
    HTTP2_ERROR.frameSize,
  ],
  ["a window that takes no answer", joinBytes([PREFACE, setting(4, 0)]), HTTP2_ERROR.flowControl],
  [
    "more padding than payload",
    joinBytes([START, headers(1), frame(FRAME.data, 1, Uint8Array.of(9), FLAG.padded)]),
    HTTP2_ERROR.protocol,
  ],
  [
    "a block without end",
    joinBytes([
      START,
      headers(1, 0),
      ...Array.from({ length: 2 }, () => frame(FRAME.continuation, 1, new Uint8Array(16_000))),
    ]),
    HTTP2_ERROR.enhanceYourCalm,
  ],
  [
    "talk alone",
    joinBytes([
      START,
      ...Array.from({ length: 5000 }, () => frame(FRAME.ping, 0, new Uint8Array(8))),
    ]),
    HTTP2_ERROR.enhanceYourCalm,
  ],
])("UnaryConnection ends for %s", (_, bytes, code) => {
  const machine = new UnaryConnection();
  assert.equal(goneFor(machine, bytes), code);
  const after = machine.receive(START);
  assert.deepEqual([after.out.length, after.calls.length, after.close], [0, 0, true]);
});

Deno.test("UnaryConnection answers PING, skips what it does not know, forgets a reset call", () => {
  const machine = new UnaryConnection();
  const ping = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const { out } = machine.receive(joinBytes([
    START,
    frame(FRAME.ping, 0, ping),
    frame(0x42, 7, ping),
    frame(FRAME.priority, 5, new Uint8Array(5)),
    frame(FRAME.goAway, 0, new Uint8Array(8)),
    headers(1),
    frame(FRAME.data, 1, grpc(EMPTY), FLAG.endStream),
  ]));
  const answer = framesOf(out).find(({ type }) => type === FRAME.ping);
  assert.deepEqual([...answer?.payload ?? []], [...ping]);
  assert.equal(answer?.flags, FLAG.ack);
  machine.receive(frame(FRAME.rstStream, 1, new Uint8Array(4)));
  assert.equal(machine.answer(1).length, 0);
  assert.equal(machine.busy, false);
});

Deno.test("UnaryConnection refuses calls beyond its cap and bounds what one connection may ask", () => {
  const machine = new UnaryConnection();
  machine.receive(START);
  const opened = Array.from({ length: 9 }, (_, at) => headers(1 + at * 2));
  const refused = framesOf(machine.receive(joinBytes(opened)).out);
  assert.deepEqual(refused.map(({ type, stream }) => [type, stream]), [[FRAME.rstStream, 17]]);

  const busy = new UnaryConnection();
  busy.receive(START);
  for (let call = 0; call < 1000; call++) {
    const stream = 1 + call * 2;
    busy.receive(
      joinBytes([headers(stream), frame(FRAME.data, stream, grpc(EMPTY), FLAG.endStream)]),
    );
    busy.answer(stream);
  }
  assert.equal(goneFor(busy, headers(2001)), HTTP2_ERROR.none);
});
