import { AppError, type Bytes } from "../../../../core/base/mod.ts";

/** Compressed flag and length, before every message (gRPC over HTTP2, "Length-Prefixed-Message"). */
const PREFIX = 5;

/** One message as a gRPC frame. */
export function encodeFrame(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(PREFIX + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, PREFIX);
  return frame;
}

/**
 * Cuts a stream of bytes into messages, however the bytes are chunked. A message's length is checked
 * against the cap before anything is allocated for it.
 */
export class FrameDecoder {
  readonly #cap: Bytes;
  readonly #peer: string;
  readonly #prefix = new Uint8Array(PREFIX);
  #message: Uint8Array | undefined;
  /** Bytes of the prefix, or of the message when there is one. */
  #filled = 0;

  /** `peer` is who sends, in errors. */
  constructor(cap: Bytes, peer = "container runtime") {
    this.#cap = cap;
    this.#peer = peer;
  }

  /** Whether the bytes so far end between two messages. */
  get atBoundary(): boolean {
    return this.#message === undefined && this.#filled === 0;
  }

  /**
   * Takes the next bytes and returns the messages that they complete.
   *
   * @throws {AppError} RequestEntityTooLarge when a message is longer than the cap, Unsupported when
   * one is compressed (we never offer a compression). The decoder is of no use after that.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const messages: Uint8Array[] = [];
    let at = 0;
    while (at < chunk.length) {
      const target = this.#message ?? this.#prefix;
      const part = chunk.subarray(at, at + target.length - this.#filled);
      target.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < target.length) break;
      if (!this.#message) this.#message = this.#allocate();
      else if (target === this.#message) messages.push(this.#take());
      if (this.#message?.length === 0) messages.push(this.#take());
    }
    return messages;
  }

  #allocate(): Uint8Array {
    const length = new DataView(this.#prefix.buffer).getUint32(1);
    if (length > this.#cap) {
      throw new AppError(
        "RequestEntityTooLarge",
        `The ${this.#peer} sent a message of ${length} bytes; at most ${this.#cap} are read`,
      );
    }
    if (this.#prefix[0] !== 0) {
      throw new AppError("Unsupported", `The ${this.#peer} sent a compressed message`);
    }
    this.#filled = 0;
    return new Uint8Array(length);
  }

  #take(): Uint8Array {
    const message = this.#message ?? new Uint8Array();
    this.#message = undefined;
    this.#filled = 0;
    return message;
  }
}
