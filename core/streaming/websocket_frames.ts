import { AppError } from "../base/mod.ts";
import type { Bytes } from "./channel.ts";

/** Opcodes of frames (RFC 6455 5.2). */
export const OP = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** What a client's frames hold, in order. */
export type FrameEvent =
  /** Some bytes of a message, never none; `start` for the first of a message. */
  | { readonly kind: "data"; readonly start: boolean; readonly bytes: Bytes }
  | { readonly kind: "ping" | "pong" | "close"; readonly bytes: Bytes };

/** Payload of a control frame. */
const CONTROL_CAP = 125;
/** Head of a frame: two bytes, a length of up to eight, a mask of four. */
const HEAD_CAP = 14;

/**
 * Reads the frames of a client as they come: payload is given on as soon as it is there, so that a
 * frame of any length takes no memory.
 */
export class FrameDecoder {
  readonly #head = new Uint8Array(HEAD_CAP);
  #headSize = 0;
  #mask: Uint8Array | undefined;
  #opcode = 0;
  #left = 0;
  #at = 0;
  #control: Uint8Array<ArrayBuffer> | undefined;
  /** Inside a message whose last frame has not come. */
  #open = false;
  /** No byte of the message has been given on yet. */
  #fresh = false;

  /** Takes what was read next. @throws {AppError} BadRequest for what no client may send */
  push(bytes: Bytes): FrameEvent[] {
    const events: FrameEvent[] = [];
    let at = 0;
    while (at < bytes.byteLength) {
      if (!this.#mask) {
        this.#headByte(bytes[at++] ?? 0);
        if (this.#mask && this.#left === 0) this.#end(events);
        continue;
      }
      const size = Math.min(this.#left, bytes.byteLength - at);
      this.#payload(bytes.subarray(at, at + size), this.#mask, events);
      at += size;
      if (this.#left === 0) this.#end(events);
    }
    return events;
  }

  #headByte(byte: number): void {
    this.#head[this.#headSize++] = byte;
    if (this.#headSize < 2) return;
    const view = new DataView(this.#head.buffer);
    const short = view.getUint8(1) & 0x7f;
    const lengthSize = short === 126 ? 2 : short === 127 ? 8 : 0;
    if (this.#headSize < 2 + lengthSize + 4) return;
    const length = lengthSize === 2
      ? view.getUint16(2)
      : lengthSize === 8
      ? Number(view.getBigUint64(2))
      : short;
    if (!Number.isSafeInteger(length)) throw new AppError("BadRequest", "WebSocket frame too long");
    if ((view.getUint8(1) & 0x80) === 0) {
      throw new AppError("BadRequest", "WebSocket frame of a client without a mask");
    }
    this.#begin(view.getUint8(0), length);
    this.#mask = this.#head.slice(2 + lengthSize, 6 + lengthSize);
  }

  #begin(first: number, length: number): void {
    const opcode = this.#opcode = first & 0x0f;
    const final = (first & 0x80) !== 0;
    if ((first & 0x70) !== 0) {
      throw new AppError("BadRequest", "WebSocket frame with reserved bits");
    }
    this.#left = length;
    this.#at = 0;
    if (opcode >= OP.close) {
      const known = opcode === OP.close || opcode === OP.ping || opcode === OP.pong;
      if (!known || !final || length > CONTROL_CAP) {
        throw new AppError("BadRequest", "WebSocket control frame that is none");
      }
      this.#control = new Uint8Array(length);
      return;
    }
    if (opcode > OP.binary || (opcode === OP.continuation) !== this.#open) {
      throw new AppError("BadRequest", "WebSocket frame out of its place");
    }
    if (opcode !== OP.continuation) this.#fresh = true;
    this.#open = !final;
  }

  #payload(bytes: Bytes, mask: Uint8Array, events: FrameEvent[]): void {
    const plain = this.#control?.subarray(this.#at, this.#at + bytes.byteLength) ??
      new Uint8Array(bytes.byteLength);
    unmask(bytes, mask, { into: plain, offset: this.#at });
    this.#at += bytes.byteLength;
    this.#left -= bytes.byteLength;
    if (this.#control) return;
    events.push({ kind: "data", start: this.#fresh, bytes: plain });
    this.#fresh = false;
  }

  #end(events: FrameEvent[]): void {
    this.#headSize = 0;
    this.#mask = undefined;
    if (!this.#control) return;
    const kind = this.#opcode === OP.close ? "close" : this.#opcode === OP.ping ? "ping" : "pong";
    events.push({ kind, bytes: this.#control });
    this.#control = undefined;
  }
}

function unmask(
  bytes: Bytes,
  mask: Uint8Array,
  { into, offset }: { readonly into: Uint8Array; readonly offset: number },
): void {
  for (let at = 0; at < bytes.byteLength; at++) {
    into[at] = (bytes[at] ?? 0) ^ (mask[(offset + at) & 3] ?? 0);
  }
}

/** One whole frame of a server, made of `parts`. */
export function encodeFrame(opcode: number, ...parts: readonly Uint8Array[]): Bytes {
  const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = new Uint8Array(head + length);
  const view = new DataView(frame.buffer);
  view.setUint8(0, 0x80 | opcode);
  view.setUint8(1, head === 2 ? length : head === 4 ? 126 : 127);
  if (head === 4) view.setUint16(2, length);
  if (head === 10) view.setBigUint64(2, BigInt(length));
  let at = head;
  for (const part of parts) {
    frame.set(part, at);
    at += part.byteLength;
  }
  return frame;
}
