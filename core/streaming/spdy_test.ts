import { deepStrictEqual, throws } from "node:assert/strict";
import { constants, inflateRawSync } from "node:zlib";
import { isAppError } from "../base/mod.ts";
import { type Bytes, joinBytes } from "../wire/mod.ts";
import {
  spdyData,
  SpdyDecoder,
  SpdyEncoder,
  type SpdyEvent,
  spdyPing,
  spdyRefuse,
} from "./spdy.ts";

/** A control frame as a server sends it. */
function control(type: number, payload: readonly number[], flags = 0): Bytes {
  return new Uint8Array([0x80, 3, 0, type, flags, 0, 0, payload.length, ...payload]);
}

function decode(bytes: Bytes, step = bytes.byteLength): SpdyEvent[] {
  const decoder = new SpdyDecoder();
  const events: SpdyEvent[] = [];
  for (let at = 0; at < bytes.byteLength; at += step) {
    events.push(...decoder.push(bytes.subarray(at, at + step)));
  }
  return events;
}

Deno.test("SpdyDecoder tells replies, data, ends, pings and the goodbye, however they are cut", () => {
  const frames = joinBytes([
    control(2, [0, 0, 0, 5, 1, 2, 3, 4, 5, 6]),
    control(4, [0, 0, 0, 0]),
    spdyData(5, new Uint8Array([1, 2, 3])),
    control(9, [0, 0, 0, 5, 0, 0, 1, 0]),
    control(6, [0, 0, 0, 2]),
    spdyData(5, new Uint8Array(0), { fin: true }),
    control(3, [0, 0, 0, 7, 0, 0, 0, 5]),
    control(2, [0, 0, 0, 9], 1),
    control(1, [0, 0, 0, 2, 0, 0, 0, 0, 0, 0]),
    control(8, [0, 0, 0, 5, 9, 9]),
    control(77, []),
    control(7, [0, 0, 0, 0, 0, 0, 0, 0]),
  ]);
  const want = [
    { kind: "reply", stream: 5 },
    { kind: "data", stream: 5, bytes: new Uint8Array([1, 2, 3]) },
    { kind: "ping", id: 2 },
    { kind: "end", stream: 5 },
    { kind: "end", stream: 7 },
    { kind: "reply", stream: 9 },
    { kind: "end", stream: 9 },
    { kind: "open", stream: 2 },
    { kind: "goaway" },
  ];
  deepStrictEqual(decode(frames), want);
  for (const step of [1, 2, 3, 7, 11]) {
    const joined: unknown[] = [];
    for (const event of decode(frames, step)) {
      const last = joined.at(-1) as { kind?: string; bytes?: Uint8Array } | undefined;
      if (event.kind === "data" && last?.kind === "data" && last.bytes) {
        joined[joined.length - 1] = { ...event, bytes: joinBytes([last.bytes, event.bytes]) };
      } else joined.push(event);
    }
    deepStrictEqual(joined, want, `in steps of ${step}`);
  }
});

Deno.test("SpdyDecoder refuses another version, long control frames and short ones", () => {
  for (
    const bytes of [
      new Uint8Array([0x80, 2, 0, 6, 0, 0, 0, 4]),
      new Uint8Array([0x80, 3, 0, 2, 0, 1, 0, 1]),
      control(6, [1, 2]),
    ]
  ) throws(() => decode(bytes), (error) => isAppError(error, "BadRequest"));
});

Deno.test("SpdyEncoder opens streams with headers that every inflater reads, one zlib stream for all", () => {
  const encoder = new SpdyEncoder();
  const frames = [
    encoder.synStream(1, { streamtype: "error" }),
    encoder.synStream(3, { streamtype: "stdin", port: "80" }),
  ];
  for (const [index, frame] of frames.entries()) {
    const view = new DataView(frame.buffer);
    deepStrictEqual([view.getUint32(0), view.getUint32(4)], [0x80030001, frame.byteLength - 8]);
    deepStrictEqual(view.getUint32(8), 1 + 2 * index);
  }
  const blocks = joinBytes(frames.map((frame) => frame.subarray(18)));
  // zlib's head: method, a preset dictionary and no more; a multiple of 31.
  const view = new DataView(blocks.buffer);
  deepStrictEqual([view.getUint16(0) % 31, view.getUint8(1) & 0x20], [0, 0x20]);
  const plain = inflateRawSync(blocks.subarray(6), { finishFlush: constants.Z_SYNC_FLUSH });
  const words = new TextDecoder().decode(plain).split(/[^ -~]+/).join(" ").trim();
  deepStrictEqual(words, "streamtype error streamtype stdin port 80");
});

Deno.test("spdyPing() and spdyRefuse() are what a server reads", () => {
  deepStrictEqual([...spdyPing(2)], [0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 2]);
  deepStrictEqual([...spdyRefuse(4)], [0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, 4, 0, 0, 0, 3]);
});
