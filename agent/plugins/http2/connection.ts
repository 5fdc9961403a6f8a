import { AppError } from "../../../core/base/mod.ts";
import { joinBytes } from "../../../core/wire/mod.ts";
import { emptyAnswer, errorAnswer, statusOf } from "./answer.ts";
import { encodeHttp2Frame, FLAG, FRAME, type Frame, FrameReader } from "./frames.ts";
import { HTTP2_ERROR, Http2Error } from "./frames.ts";

/** One call that has arrived whole. */
export interface UnaryCall {
  readonly stream: number;
  /** The protobuf message, without gRPC's prefix. */
  readonly message: Uint8Array;
}

/** What came of some bytes. */
export interface Received {
  /** To be sent now. */
  readonly out: Uint8Array;
  readonly calls: readonly UnaryCall[];
  /** Nothing more is read: send, then close. */
  readonly close: boolean;
}

interface Stream {
  readonly parts: Uint8Array[];
  size: number;
}

/** The longest request, in bytes. */
const MAX_BODY = 65_536;
const MAX_STREAMS = 8;
/** Of one header block, over all its frames. It is not kept. */
const MAX_BLOCK = 16_384;
/** Frames that may come for each answer, so that a client that only talks is cut. */
const MAX_FRAMES = 4096;
/** Answers of one connection: they fit the window that a connection begins with. */
const MAX_ANSWERS = 1000;
const GRPC_PREFIX = 5;
/** The payload of an answer's only DATA frame. */
const ANSWER_SIZE = 5;
const SETTING = { maxStreams: 3, initialWindow: 4, maxHeaderList: 6 } as const;

/**
 * The server's end of one HTTP/2 connection on which a single unary gRPC method without an answer
 * is called: a state machine that bytes go into and out of, without I/O or time.
 *
 * Header blocks are skipped, not decoded: whatever is called on this socket is taken for the one
 * method that it serves, and a body that is no request of it is refused by its reader.
 */
export class UnaryConnection {
  readonly #reader = new FrameReader();
  readonly #streams = new Map<number, Stream>();
  /** Streams whose call has arrived and is not answered. */
  readonly #waiting = new Set<number>();
  #last = 0;
  #settled = false;
  /** The stream whose header block goes on, how much of it there was, and whether it ends the stream. */
  #block: { readonly stream: number; readonly ends: boolean; size: number } | undefined;
  #frames = 0;
  #answers = 0;
  #closed = false;
  #out: Uint8Array[] = [];
  #calls: UnaryCall[] = [];

  /** What the server sends before all else. */
  hello(): Uint8Array {
    const pairs = [[SETTING.maxStreams, MAX_STREAMS], [SETTING.maxHeaderList, MAX_BLOCK]] as const;
    const payload = new Uint8Array(6 * pairs.length);
    const view = new DataView(payload.buffer);
    pairs.forEach(([id, value], at) => {
      view.setUint16(at * 6, id);
      view.setUint32(at * 6 + 2, value);
    });
    return encodeHttp2Frame({ type: FRAME.settings, flags: 0, stream: 0, payload });
  }

  /** Whether a call waits for its answer. */
  get busy(): boolean {
    return this.#waiting.size > 0;
  }

  /** Takes what the client sent. Never throws: what is wrong ends the connection with a GOAWAY. */
  receive(chunk: Uint8Array): Received {
    try {
      for (const frame of this.#closed ? [] : this.#reader.push(chunk)) {
        if (++this.#frames > MAX_FRAMES) {
          throw new Http2Error(HTTP2_ERROR.enhanceYourCalm, "too many frames");
        }
        this.#frame(frame);
      }
    } catch (error) {
      if (!(error instanceof Http2Error || error instanceof AppError)) throw error;
      this.#goAway(error instanceof Http2Error ? error.code : HTTP2_ERROR.protocol);
    }
    const received = { out: joinBytes(this.#out), calls: this.#calls, close: this.#closed };
    this.#out = [];
    this.#calls = [];
    return received;
  }

  /** What tells the client how its call went; empty when it has given it up. */
  answer(stream: number, error?: unknown): Uint8Array {
    if (!this.#waiting.delete(stream)) return new Uint8Array();
    this.#frames = 0;
    this.#answers++;
    if (error === undefined) return emptyAnswer(stream);
    const { status, message } = statusOf(error);
    return errorAnswer(stream, status, message);
  }

  /** What tells the client that nothing more is read here. */
  end(): Uint8Array {
    this.#goAway(HTTP2_ERROR.none);
    const out = joinBytes(this.#out);
    this.#out = [];
    return out;
  }

  #frame(frame: Frame): void {
    const { type, flags, stream, payload } = frame;
    if (this.#block && (type !== FRAME.continuation || stream !== this.#block.stream)) {
      throw protocol("a header block was broken off");
    }
    if (!this.#settled && type !== FRAME.settings) throw protocol("SETTINGS must come first");
    switch (type) {
      case FRAME.data:
        return this.#data(frame);
      case FRAME.headers:
        return this.#headers(frame);
      case FRAME.continuation:
        return this.#continuation(frame);
      case FRAME.settings:
        return this.#settings(frame);
      case FRAME.ping:
        if (stream !== 0) throw protocol("PING on a stream");
        size(payload, 8);
        if (!(flags & FLAG.ack)) this.#send(FRAME.ping, 0, payload, FLAG.ack);
        return;
      case FRAME.rstStream:
        size(payload, 4);
        if (stream === 0 || stream > this.#last) throw protocol("RST_STREAM of no stream");
        this.#streams.delete(stream);
        this.#waiting.delete(stream);
        return;
      case FRAME.windowUpdate:
        // Windows are never too small for what is sent here: see MAX_ANSWERS and #settings().
        size(payload, 4);
        return;
      case FRAME.priority:
        size(payload, 5);
        return;
      case FRAME.pushPromise:
        throw protocol("clients push nothing");
      default:
        // GOAWAY says that no new call comes; of unknown types nothing may be made.
        return;
    }
  }

  #settings({ flags, stream, payload }: Frame): void {
    if (stream !== 0) throw protocol("SETTINGS on a stream");
    if (flags & FLAG.ack) return size(payload, 0);
    if (payload.length % 6 !== 0) throw new Http2Error(HTTP2_ERROR.frameSize, "SETTINGS");
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    for (let at = 0; at < payload.length; at += 6) {
      if (view.getUint16(at) !== SETTING.initialWindow) continue;
      const window = view.getUint32(at + 2);
      if (window < ANSWER_SIZE || window > 0x7fffffff) {
        throw new Http2Error(HTTP2_ERROR.flowControl, `a window of ${window} bytes`);
      }
    }
    this.#settled = true;
    this.#send(FRAME.settings, 0, new Uint8Array(), FLAG.ack);
  }

  #headers(frame: Frame): void {
    const { flags, stream, payload } = frame;
    const open = this.#streams.has(stream);
    if (!open) {
      if (stream % 2 === 0 || stream <= this.#last) throw protocol("HEADERS on a wrong stream");
      this.#last = stream;
      if (this.#streams.size + this.#waiting.size >= MAX_STREAMS) {
        this.#reset(stream, HTTP2_ERROR.refusedStream);
      } else if (this.#answers + this.#waiting.size >= MAX_ANSWERS) {
        // The client opens another connection for what it sends from here on.
        this.#reset(stream, HTTP2_ERROR.refusedStream);
        return this.#goAway(HTTP2_ERROR.none);
      } else this.#streams.set(stream, { parts: [], size: 0 });
    }
    this.#grow({ stream, ends: (flags & FLAG.endStream) !== 0, size: 0 }, flags, payload);
  }

  #continuation({ flags, payload }: Frame): void {
    if (!this.#block) throw protocol("CONTINUATION of no header block");
    this.#grow(this.#block, flags, payload);
  }

  #grow(
    block: { readonly stream: number; readonly ends: boolean; size: number },
    flags: number,
    payload: Uint8Array,
  ): void {
    block.size += payload.length;
    if (block.size > MAX_BLOCK) {
      throw new Http2Error(HTTP2_ERROR.enhanceYourCalm, "the header block is too long");
    }
    const whole = (flags & FLAG.endHeaders) !== 0;
    this.#block = whole ? undefined : block;
    if (whole && block.ends) this.#arrived(block.stream);
  }

  #data({ flags, stream, payload }: Frame): void {
    if (stream === 0 || stream > this.#last) throw protocol("DATA of no stream");
    if (payload.length > 0) this.#widen(0, payload.length);
    const open = this.#streams.get(stream);
    // Of a stream that was reset or refused: what was under way when it was.
    if (!open) return;
    // So that a request which is too long comes far enough to be refused.
    if (payload.length > 0 && !(flags & FLAG.endStream)) this.#widen(stream, payload.length);
    const data = unpad(flags, payload);
    open.size += data.length;
    if (open.size > MAX_BODY) {
      this.#streams.delete(stream);
      const text = `The request is longer than ${MAX_BODY} bytes`;
      const { status, message } = statusOf(new AppError("RequestEntityTooLarge", text));
      this.#out.push(errorAnswer(stream, status, message));
      this.#answers++;
      return this.#reset(stream, HTTP2_ERROR.none);
    }
    if (data.length > 0) open.parts.push(data);
    if (flags & FLAG.endStream) this.#arrived(stream);
  }

  /** Gives back what was taken of a window. */
  #widen(stream: number, bytes: number): void {
    this.#send(FRAME.windowUpdate, stream, word(bytes));
  }

  #arrived(stream: number): void {
    const open = this.#streams.get(stream);
    if (!open) return;
    this.#streams.delete(stream);
    this.#waiting.add(stream);
    const body = joinBytes(open.parts);
    const problem = bodyProblem(body);
    if (problem) this.#out.push(this.answer(stream, problem));
    else this.#calls.push({ stream, message: body.subarray(GRPC_PREFIX) });
  }

  #reset(stream: number, code: number): void {
    this.#send(FRAME.rstStream, stream, word(code));
  }

  #goAway(code: number): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#send(FRAME.goAway, 0, joinBytes([word(this.#last), word(code)]));
  }

  #send(type: number, stream: number, payload: Uint8Array, flags = 0): void {
    this.#out.push(encodeHttp2Frame({ type, flags, stream, payload }));
  }
}

function word(value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value);
  return out;
}

function protocol(message: string): Http2Error {
  return new Http2Error(HTTP2_ERROR.protocol, message);
}

function size(payload: Uint8Array, want: number): void {
  if (payload.length !== want) throw new Http2Error(HTTP2_ERROR.frameSize, "a frame's length");
}

function unpad(flags: number, payload: Uint8Array): Uint8Array {
  if (!(flags & FLAG.padded)) return payload;
  const [padding = payload.length] = payload;
  if (padding >= payload.length) throw protocol("more padding than payload");
  return payload.subarray(1, payload.length - padding);
}

/** Why a body is not exactly one uncompressed gRPC message. */
function bodyProblem(body: Uint8Array): AppError | undefined {
  if (body.length < GRPC_PREFIX) return new AppError("Invalid", "The request has no message");
  if (body[0] !== 0) return new AppError("Unsupported", "Compressed messages are not read");
  const length = new DataView(body.buffer, body.byteOffset).getUint32(1);
  if (length === body.length - GRPC_PREFIX) return undefined;
  return new AppError("Invalid", "The request is not exactly one message");
}
