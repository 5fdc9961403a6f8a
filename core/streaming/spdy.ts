import { AppError } from "../base/mod.ts";
import type { Bytes } from "../wire/mod.ts";

/** Types of control frames (SPDY/3.1). */
const TYPE = { synStream: 1, synReply: 2, rstStream: 3, ping: 6, goAway: 7 } as const;
const FIN = 0x01;
/** Bytes of a control frame; what we send and get has some hundred. */
const CONTROL_CAP = 64 * 1024;
/** How much of a control frame is looked at: the id of a stream or of a ping. */
const CONTROL_KEPT = 4;
const REFUSED_STREAM = 3;

/** What a server's frames hold, in order. */
export type SpdyEvent =
  | { readonly kind: "data"; readonly stream: number; readonly bytes: Bytes }
  /** `reply`: the server has taken our stream; `end`: it will send nothing more on it. */
  | { readonly kind: "reply" | "end" | "open"; readonly stream: number }
  | { readonly kind: "ping"; readonly id: number }
  | { readonly kind: "goaway" };

/**
 * Reads the frames of a SPDY server as they come; a data frame of any length takes no memory. Headers
 * are skipped without being unpacked: those of a reply say nothing that a client of Kubernetes'
 * streams needs, so there is no decompression that a peer could blow up. There is no flow control
 * either: what CRI runtimes use (moby/spdystream) has none, and TCP's does.
 */
export class SpdyDecoder {
  readonly #head = new Uint8Array(8);
  readonly #kept = new Uint8Array(CONTROL_KEPT);
  #headSize = 0;
  #keptSize = 0;
  #control = false;
  #word = 0;
  #flags = 0;
  #left = 0;

  /** Takes what was read next. @throws {AppError} BadRequest for what no server may send */
  push(bytes: Bytes): SpdyEvent[] {
    const events: SpdyEvent[] = [];
    let at = 0;
    while (at < bytes.byteLength) {
      if (this.#headSize < 8) {
        this.#head[this.#headSize++] = bytes[at++] ?? 0;
        if (this.#headSize === 8) this.#begin();
      } else {
        const size = Math.min(this.#left, bytes.byteLength - at);
        this.#payload(bytes.subarray(at, at + size), events);
        at += size;
      }
      if (this.#headSize === 8 && this.#left === 0) this.#end(events);
    }
    return events;
  }

  #begin(): void {
    const view = new DataView(this.#head.buffer);
    this.#word = view.getUint32(0);
    this.#control = (this.#word & 0x80000000) !== 0;
    this.#flags = view.getUint8(4);
    this.#left = view.getUint32(4) & 0xffffff;
    this.#keptSize = 0;
    if (!this.#control) return;
    if ((this.#word >>> 16) !== 0x8003) throw new AppError("BadRequest", "not SPDY version 3");
    if (this.#left > CONTROL_CAP) throw new AppError("BadRequest", "SPDY control frame too long");
  }

  #payload(bytes: Bytes, events: SpdyEvent[]): void {
    this.#left -= bytes.byteLength;
    if (!this.#control) {
      return void events.push({ kind: "data", stream: this.#word, bytes });
    }
    const kept = bytes.subarray(0, CONTROL_KEPT - this.#keptSize);
    this.#kept.set(kept, this.#keptSize);
    this.#keptSize += kept.byteLength;
  }

  #end(events: SpdyEvent[]): void {
    this.#headSize = 0;
    const fin = (this.#flags & FIN) !== 0;
    if (!this.#control) {
      if (fin) events.push({ kind: "end", stream: this.#word });
      return;
    }
    const type = this.#word & 0xffff;
    if (type === TYPE.goAway) return void events.push({ kind: "goaway" });
    const known = type === TYPE.synStream || type === TYPE.synReply || type === TYPE.rstStream ||
      type === TYPE.ping;
    if (!known) return;
    if (this.#keptSize < CONTROL_KEPT) throw new AppError("BadRequest", "SPDY frame too short");
    const id = new DataView(this.#kept.buffer).getUint32(0);
    if (type === TYPE.ping) return void events.push({ kind: "ping", id });
    const stream = id & 0x7fffffff;
    if (type === TYPE.rstStream) return void events.push({ kind: "end", stream });
    events.push({ kind: type === TYPE.synReply ? "reply" : "open", stream });
    if (fin) events.push({ kind: "end", stream });
  }
}

/**
 * Writes the frames of a SPDY client. Headers go through one zlib stream for the whole connection;
 * this one is made of stored blocks, which every inflater reads and no deflater has to make.
 */
export class SpdyEncoder {
  #begun = false;

  /** Opens a stream. `stream` is odd and larger than those before. */
  synStream(stream: number, headers: Readonly<Record<string, string>>): Bytes {
    const block = this.#pack(headerBlock(headers));
    const frame = controlFrame(TYPE.synStream, 10 + block.byteLength);
    new DataView(frame.buffer).setUint32(8, stream);
    // Associated stream, priority and slot stay 0.
    frame.set(block, 18);
    return frame;
  }

  #pack(block: Uint8Array): Uint8Array {
    const begin = this.#begun ? [] : ZLIB_HEAD;
    this.#begun = true;
    const size = block.byteLength;
    const stored = [0, size & 0xff, size >> 8, ~size & 0xff, (~size >> 8) & 0xff];
    // The empty block at the end is zlib's sync flush: without it the last bytes may be held back.
    return new Uint8Array([...begin, ...stored, ...block, 0, 0, 0, 0xff, 0xff]);
  }
}

/** zlib's head: no compression, with a preset dictionary, and the Adler-32 of SPDY/3's. */
const ZLIB_HEAD = [0x78, 0x20, 0xe3, 0xc6, 0xa7, 0xc2];

function headerBlock(headers: Readonly<Record<string, string>>): Uint8Array {
  const words = Object.entries(headers).flat().map((word) => new TextEncoder().encode(word));
  const out = new Uint8Array(words.reduce((sum, word) => sum + 4 + word.byteLength, 4));
  const view = new DataView(out.buffer);
  view.setUint32(0, words.length / 2);
  let at = 4;
  for (const word of words) {
    view.setUint32(at, word.byteLength);
    out.set(word, at + 4);
    at += 4 + word.byteLength;
  }
  return out;
}

/** Bytes on a stream; `fin` says that there will be no more. */
export function spdyData(
  stream: number,
  bytes: Uint8Array,
  { fin = false }: { readonly fin?: boolean } = {},
): Bytes {
  const frame = new Uint8Array(8 + bytes.byteLength);
  const view = new DataView(frame.buffer);
  view.setUint32(0, stream);
  view.setUint32(4, bytes.byteLength | (fin ? FIN << 24 : 0));
  frame.set(bytes, 8);
  return frame;
}

/** The answer to a ping of the server. */
export function spdyPing(id: number): Bytes {
  const frame = controlFrame(TYPE.ping, 4);
  new DataView(frame.buffer).setUint32(8, id);
  return frame;
}

/** Refuses a stream that the server wants to open: Kubernetes' servers never do. */
export function spdyRefuse(stream: number): Bytes {
  const frame = controlFrame(TYPE.rstStream, 8);
  const view = new DataView(frame.buffer);
  view.setUint32(8, stream);
  view.setUint32(12, REFUSED_STREAM);
  return frame;
}

function controlFrame(type: number, length: number): Bytes {
  const frame = new Uint8Array(8 + length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, 0x80030000 | type);
  view.setUint32(4, length);
  return frame;
}
