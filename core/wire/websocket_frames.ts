import { AppError } from "../base/mod.ts";
import type { Bytes } from "./channel.ts";

/** Opcodes of frames (RFC 6455 5.2). */
export const OP = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** What the frames of a peer hold, in order. */
export type FrameEvent =
  /**
   * Some bytes of a message: `start` for the first of it, `end` for the last. A message whose last
   * frame is empty ends with none.
   */
  | {
    readonly kind: "data";
    readonly text: boolean;
    readonly start: boolean;
    readonly end: boolean;
    readonly bytes: Bytes;
  }
  | { readonly kind: "ping" | "pong" | "close"; readonly bytes: Bytes };

/** Payload of a control frame. */
const CONTROL_CAP = 125;
/** Head of a frame: two bytes, a length of up to eight, a mask of four. */
const HEAD_CAP = 14;

/** Options of {@linkcode FrameDecoder}. */
export interface FrameDecoderOptions {
  /** Who sends: clients must mask, servers must not. */
  readonly from: "client" | "server";
  /** Bytes of a message, checked before they are read. @default {any number} */
  readonly messageCap?: number;
}

/**
 * Reads frames as they come: payload is given on as soon as it is there, so that a frame of any
 * length takes no memory.
 */
export class FrameDecoder {
  readonly #masked: boolean;
  readonly #messageCap: number;
  readonly #head = new Uint8Array(HEAD_CAP);
  readonly #view = new DataView(this.#head.buffer);
  #headSize = 0;
  /** The head is whole; what comes next is payload. */
  #inside = false;
  #maskAt = 0;
  #first = 0;
  #left = 0;
  #at = 0;
  #control: Bytes | undefined;
  /** Inside a message whose last frame has not ended. */
  #open = false;
  #text = false;
  /** No byte of the message has been given on yet. */
  #fresh = false;
  #size = 0;

  constructor({ from, messageCap = Infinity }: FrameDecoderOptions) {
    this.#masked = from === "client";
    this.#messageCap = messageCap;
  }

  /**
   * Takes what was read next.
   * @throws {AppError} BadRequest for what the peer may not send, RequestEntityTooLarge
   */
  push(bytes: Bytes): FrameEvent[] {
    const events: FrameEvent[] = [];
    let at = 0;
    while (at < bytes.byteLength) {
      if (!this.#inside) {
        this.#headByte(bytes[at++] ?? 0);
      } else {
        const size = Math.min(this.#left, bytes.byteLength - at);
        this.#payload(bytes.subarray(at, at + size), events);
        at += size;
      }
      if (this.#inside && this.#left === 0) this.#end(events);
    }
    return events;
  }

  #headByte(byte: number): void {
    this.#head[this.#headSize++] = byte;
    if (this.#headSize < 2) return;
    const second = this.#view.getUint8(1);
    if (((second & 0x80) !== 0) !== this.#masked) {
      throw new AppError("BadRequest", "a WebSocket frame must be masked by clients and no others");
    }
    const short = second & 0x7f;
    const lengthSize = short === 126 ? 2 : short === 127 ? 8 : 0;
    this.#maskAt = 2 + lengthSize;
    if (this.#headSize < this.#maskAt + (this.#masked ? 4 : 0)) return;
    const length = lengthSize === 2
      ? this.#view.getUint16(2)
      : lengthSize === 8
      ? Number(this.#view.getBigUint64(2))
      : short;
    this.#begin(this.#view.getUint8(0), length);
  }

  #begin(first: number, length: number): void {
    const opcode = first & 0x0f;
    const final = (first & 0x80) !== 0;
    if ((first & 0x70) !== 0 || !Number.isSafeInteger(length)) {
      throw new AppError("BadRequest", "a WebSocket frame with reserved bits");
    }
    this.#inside = true;
    this.#first = first;
    this.#left = length;
    this.#at = 0;
    if (opcode >= OP.close) {
      const known = opcode === OP.close || opcode === OP.ping || opcode === OP.pong;
      if (!known || !final || length > CONTROL_CAP) {
        throw new AppError("BadRequest", "a WebSocket control frame that is none");
      }
      this.#control = new Uint8Array(length);
    } else this.#beginData(opcode, length);
  }

  #beginData(opcode: number, length: number): void {
    if (opcode > OP.binary || (opcode === OP.continuation) !== this.#open) {
      throw new AppError("BadRequest", "a WebSocket frame out of its place");
    }
    if (opcode !== OP.continuation) {
      this.#fresh = true;
      this.#text = opcode === OP.text;
      this.#size = 0;
    }
    this.#open = true;
    this.#size += length;
    if (this.#size > this.#messageCap) {
      throw new AppError(
        "RequestEntityTooLarge",
        `a WebSocket message of more than ${this.#messageCap} bytes`,
      );
    }
  }

  #payload(bytes: Bytes, events: FrameEvent[]): void {
    const plain = this.#masked ? this.#unmask(bytes) : bytes;
    this.#left -= bytes.byteLength;
    if (this.#control) this.#control.set(plain, this.#at);
    else {
      const end = this.#left === 0 && (this.#first & 0x80) !== 0;
      events.push({ kind: "data", text: this.#text, start: this.#fresh, end, bytes: plain });
      this.#fresh = false;
    }
    this.#at += bytes.byteLength;
  }

  #unmask(bytes: Bytes): Bytes {
    const plain = new Uint8Array(bytes.byteLength);
    for (let at = 0; at < bytes.byteLength; at++) {
      plain[at] = (bytes[at] ?? 0) ^ (this.#head[this.#maskAt + ((this.#at + at) & 3)] ?? 0);
    }
    return plain;
  }

  #end(events: FrameEvent[]): void {
    this.#headSize = 0;
    this.#inside = false;
    if (this.#control) {
      const opcode = this.#first & 0x0f;
      const kind = opcode === OP.close ? "close" : opcode === OP.ping ? "ping" : "pong";
      events.push({ kind, bytes: this.#control });
      this.#control = undefined;
      return;
    }
    if ((this.#first & 0x80) === 0) return;
    this.#open = false;
    if (this.#at > 0) return;
    const start = this.#fresh;
    this.#fresh = false;
    events.push({ kind: "data", text: this.#text, start, end: true, bytes: new Uint8Array(0) });
  }
}

/** One whole frame of a server, made of `parts`. */
export function serverFrame(opcode: number, ...parts: readonly Uint8Array[]): Bytes {
  return encodeFrame(opcode, parts, { maskSize: 0 });
}

/**
 * One whole frame of a client, made of `parts`. Its mask is zero: masks keep scripts in browsers from
 * forging what a proxy reads, and inside TLS no proxy reads.
 */
export function clientFrame(opcode: number, ...parts: readonly Uint8Array[]): Bytes {
  return encodeFrame(opcode, parts, { maskSize: 4 });
}

function encodeFrame(
  opcode: number,
  parts: readonly Uint8Array[],
  { maskSize }: { readonly maskSize: 0 | 4 },
): Bytes {
  const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = new Uint8Array(head + maskSize + length);
  const view = new DataView(frame.buffer);
  const masked = maskSize > 0 ? 0x80 : 0;
  view.setUint8(0, 0x80 | opcode);
  view.setUint8(1, masked | (head === 2 ? length : head === 4 ? 126 : 127));
  if (head === 4) view.setUint16(2, length);
  if (head === 10) view.setBigUint64(2, BigInt(length));
  let at = head + maskSize;
  for (const part of parts) {
    frame.set(part, at);
    at += part.byteLength;
  }
  return frame;
}

/** The payload of a close frame; a reason that is too long for one is cut. */
export function closePayload(code: number, reason = ""): Uint8Array {
  const payload = new Uint8Array(CONTROL_CAP);
  payload.set([code >> 8, code & 0xff]);
  const { written } = new TextEncoder().encodeInto(reason, payload.subarray(2));
  return payload.subarray(0, 2 + written);
}

/** What a close frame says; 1005 for one that says nothing. */
export function parseClose(payload: Uint8Array): { code: number; reason: string } {
  if (payload.byteLength < 2) return { code: 1005, reason: "" };
  const code = new DataView(payload.buffer, payload.byteOffset).getUint16(0);
  return { code, reason: new TextDecoder().decode(payload.subarray(2)) };
}
