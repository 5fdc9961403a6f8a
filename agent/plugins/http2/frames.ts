import { AppError } from "../../../core/base/mod.ts";

/** Frame types of RFC 9113, section 6. */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** Frame flags; ACK and END_STREAM share a bit. */
export const FLAG = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

/** Error codes of RFC 9113, section 7, as far as they are sent here. */
export const HTTP2_ERROR = {
  none: 0,
  protocol: 1,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  enhanceYourCalm: 11,
} as const;

/** One frame as it came. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Uint8Array;
}

const HEAD = 9;
/** `SETTINGS_MAX_FRAME_SIZE` as it is when nobody says otherwise; we do not. */
const MAX_FRAME = 16_384;
/** What a client sends before its first frame. */
export const PREFACE: Uint8Array = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** A violation of HTTP/2 that ends the connection. */
export class Http2Error extends Error {
  override readonly name = "Http2Error";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Cuts what a client sends into frames, however the bytes are chunked. Nothing is allocated for a
 * frame before its length was checked, and never more than one frame is kept.
 */
export class FrameReader {
  #preface = 0;
  readonly #head = new Uint8Array(HEAD);
  #payload: Uint8Array | undefined;
  #filled = 0;

  /**
   * Takes the next bytes and returns the frames that they complete.
   *
   * @throws {Http2Error} for a frame that is too long, {AppError} BadRequest for what is no HTTP/2
   */
  *push(chunk: Uint8Array): Generator<Frame> {
    let at = 0;
    for (; this.#preface < PREFACE.length && at < chunk.length; at++) {
      if (chunk[at] === PREFACE[this.#preface++]) continue;
      throw new AppError("BadRequest", "The client does not speak HTTP/2");
    }
    while (at < chunk.length) {
      const target = this.#payload ?? this.#head;
      const part = chunk.subarray(at, at + target.length - this.#filled);
      target.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < target.length) return;
      if (!this.#payload) this.#payload = this.#allocate();
      if (this.#filled === this.#payload.length) yield this.#take(this.#payload);
    }
  }

  #allocate(): Uint8Array {
    const [a = 0, b = 0, c = 0] = this.#head;
    const length = (a << 16) | (b << 8) | c;
    if (length > MAX_FRAME) throw new Http2Error(HTTP2_ERROR.frameSize, `frame of ${length} bytes`);
    this.#filled = 0;
    return new Uint8Array(length);
  }

  #take(payload: Uint8Array): Frame {
    const [, , , type = 0, flags = 0] = this.#head;
    const stream = new DataView(this.#head.buffer).getUint32(5) & 0x7fffffff;
    this.#payload = undefined;
    this.#filled = 0;
    return { type, flags, stream, payload };
  }
}

/** One frame in bytes. */
export function encodeHttp2Frame(frame: Frame): Uint8Array {
  const { type, flags, stream, payload } = frame;
  const out = new Uint8Array(HEAD + payload.length);
  const view = new DataView(out.buffer);
  view.setUint16(0, payload.length >> 8);
  view.setUint8(2, payload.length & 0xff);
  view.setUint8(3, type);
  view.setUint8(4, flags);
  view.setUint32(5, stream);
  out.set(payload, HEAD);
  return out;
}
