import { deepStrictEqual, throws } from "node:assert/strict";
import fc from "fast-check";
import { isAppError } from "../base/mod.ts";
import type { Bytes } from "./channel.ts";
import { joinBytes } from "./channel.ts";
import {
  clientFrame,
  closePayload,
  FrameDecoder,
  type FrameDecoderOptions,
  OP,
  parseClose,
  serverFrame,
} from "./websocket_frames.ts";

/** A client's frame with a mask that is not zero, as browsers and kubectl send them. */
function maskedFrame(first: number, payload: Uint8Array): Bytes {
  const mask = [0x12, 0x00, 0xff, 0x81];
  const frame = clientFrame(0, payload);
  frame[0] = first;
  const at = frame.byteLength - payload.byteLength;
  frame.set(mask, at - 4);
  payload.forEach((byte, index) => frame[at + index] = byte ^ (mask[index & 3] ?? 0));
  return frame;
}

interface Seen {
  readonly kind: string;
  readonly text?: boolean;
  readonly bytes: number[];
}

/** What a decoder makes of `bytes`, cut at `cuts`; the pieces of a message joined. */
function decode(options: FrameDecoderOptions, bytes: Bytes, cuts: readonly number[] = []): Seen[] {
  const decoder = new FrameDecoder(options);
  const places = [...cuts.map((cut) => cut % (bytes.byteLength + 1)), 0, bytes.byteLength]
    .sort((a, b) => a - b);
  const seen: Seen[] = [];
  let open: Uint8Array[] = [];
  for (const [index, place] of places.entries()) {
    for (const event of decoder.push(bytes.subarray(place, places[index + 1] ?? place))) {
      if (event.kind !== "data") {
        seen.push({ kind: event.kind, bytes: [...event.bytes] });
        continue;
      }
      deepStrictEqual(event.start, open.length === 0);
      open.push(event.bytes);
      if (!event.end) continue;
      seen.push({ kind: "data", text: event.text, bytes: [...joinBytes(open)] });
      open = [];
    }
  }
  return seen;
}

const payloads = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.constantFrom(125, 126, 127, 65_535, 65_536).map((size) => new Uint8Array(size).fill(7)),
) as fc.Arbitrary<Bytes>;

Deno.test("FrameDecoder gives back what was framed, wherever it is cut", () => {
  const cuts = fc.array(fc.nat(), { maxLength: 8 });
  fc.assert(
    fc.property(fc.array(payloads, { maxLength: 4 }), cuts, fc.boolean(), (list, at, text) => {
      const want = list.map((bytes) => ({ kind: "data", text, bytes: [...bytes] }));
      const opcode = text ? OP.text : OP.binary;
      const ours = joinBytes(list.map((bytes) => serverFrame(opcode, bytes)));
      deepStrictEqual(decode({ from: "server" }, ours, at), want);
      const zero = joinBytes(list.map((bytes) => clientFrame(opcode, bytes)));
      deepStrictEqual(decode({ from: "client" }, zero, at), want);
      const masked = joinBytes(list.map((bytes) => maskedFrame(0x80 | opcode, bytes)));
      deepStrictEqual(decode({ from: "client" }, masked, at), want);
    }),
    { numRuns: 60 },
  );
});

Deno.test("FrameDecoder joins fragments and tells of control frames between them", () => {
  const bytes = (...list: number[]): Uint8Array => new Uint8Array(list);
  const frames = joinBytes([
    maskedFrame(OP.binary, bytes()),
    maskedFrame(OP.continuation, bytes(1, 2)),
    maskedFrame(0x80 | OP.ping, bytes(9)),
    maskedFrame(OP.continuation, bytes(3)),
    maskedFrame(0x80 | OP.continuation, bytes()),
    maskedFrame(0x80 | OP.text, bytes()),
    maskedFrame(0x80 | OP.close, closePayload(1000, "bye")),
  ]);
  deepStrictEqual(decode({ from: "client" }, frames), [
    { kind: "ping", bytes: [9] },
    { kind: "data", text: false, bytes: [1, 2, 3] },
    { kind: "data", text: true, bytes: [] },
    { kind: "close", bytes: [...closePayload(1000, "bye")] },
  ]);
});

Deno.test("FrameDecoder refuses what the peer may not send", () => {
  const cases: [string, FrameDecoderOptions["from"], Bytes, string][] = [
    ["unmasked client", "client", serverFrame(OP.text, new Uint8Array(9)), "BadRequest"],
    ["masked server", "server", clientFrame(OP.text), "BadRequest"],
    ["reserved bit", "client", maskedFrame(0xc1, new Uint8Array(1)), "BadRequest"],
    ["unknown data opcode", "client", maskedFrame(0x83, new Uint8Array(1)), "BadRequest"],
    ["unknown control opcode", "client", maskedFrame(0x8b, new Uint8Array(1)), "BadRequest"],
    ["continuation of nothing", "client", maskedFrame(0x80, new Uint8Array(1)), "BadRequest"],
    ["control in fragments", "client", maskedFrame(OP.ping, new Uint8Array(1)), "BadRequest"],
    ["long control", "client", maskedFrame(0x89, new Uint8Array(126)), "BadRequest"],
    [
      "message in a message",
      "client",
      joinBytes([maskedFrame(OP.text, new Uint8Array(1)), maskedFrame(0x81, new Uint8Array(1))]),
      "BadRequest",
    ],
    [
      "length beyond counting",
      "server",
      new Uint8Array([0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255]),
      "BadRequest",
    ],
    // Before a byte of it is there.
    ["too long", "server", new Uint8Array([0x82, 126, 0x03, 0xe9]), "RequestEntityTooLarge"],
    [
      "too long in fragments",
      "server",
      joinBytes([new Uint8Array([0x02, 1, 0]), new Uint8Array([0x80, 126, 0x03, 0xe8])]),
      "RequestEntityTooLarge",
    ],
  ];
  for (const [name, from, bytes, code] of cases) {
    throws(
      () => decode({ from, messageCap: 1000 }, bytes),
      (error) => isAppError(error) && error.code === code,
      name,
    );
  }
});

Deno.test("closePayload() cuts a long reason between characters, and parseClose() reads it", () => {
  deepStrictEqual(parseClose(closePayload(4400, "why")), { code: 4400, reason: "why" });
  const { reason } = parseClose(closePayload(4400, "\u20ac".repeat(100)));
  deepStrictEqual(reason, "\u20ac".repeat(41));
  deepStrictEqual(parseClose(new Uint8Array(1)), { code: 1005, reason: "" });
});
