import { AppError, isAppError } from "../base/mod.ts";
import { LINK, type Message } from "./link.ts";

const encoder = new TextEncoder();
/** UTF-16 units in a part: even when each needs 6 bytes as JSON, the part fits a frame. */
const PART_UNITS = 160 * 1024;

/** The length of `text` in UTF-8 bytes, without making them when `text` is short or plain. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    bytes++;
    // Of a surrogate pair, each half adds one: 2 units, 4 bytes.
    if (unit >= 0x800 && (unit < 0xd800 || unit > 0xdfff)) bytes++;
  }
  return bytes;
}

/**
 * The frames that carry `message`: one, or several `part`s when its JSON is longer than
 * `LINK.partSize`. `partId` makes a new id; it is called only for parts.
 *
 * @throws {AppError} RequestEntityTooLarge when the JSON is longer than `LINK.messageCap`
 */
export function encodeMessage(message: Message, partId: () => number): string[] {
  const json = JSON.stringify(message);
  if (json.length * 3 <= LINK.partSize) return [json];
  const size = utf8Length(json);
  if (size > LINK.messageCap) {
    throw new AppError(
      "RequestEntityTooLarge",
      `message ${message.t} has ${size} bytes, the link carries at most ${LINK.messageCap}: make the object smaller`,
    );
  }
  if (size <= LINK.partSize) return [json];
  const id = partId();
  const of = Math.ceil(json.length / PART_UNITS);
  return Array.from({ length: of }, (_, n) =>
    JSON.stringify({
      t: "part",
      id,
      n,
      of,
      data: json.slice(n * PART_UNITS, (n + 1) * PART_UNITS),
    }));
}

/**
 * Reads one message. Depth and number of values are checked before anything is built from it.
 *
 * @throws {AppError} BadRequest when it is not a JSON object with a type `t`, RequestEntityTooLarge
 * when it is too long, too deep or has too many values
 */
export function parseMessage(text: string): Message {
  if (text.length > LINK.messageCap) throw tooLarge(`message of ${text.length} characters`);
  checkShape(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError("BadRequest", "message is not JSON", { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new AppError("BadRequest", "message is not a JSON object");
  }
  const t = (value as { t?: unknown }).t;
  if (typeof t !== "string" || t === "" || t.length > 64) {
    throw new AppError("BadRequest", "message has no type t");
  }
  return value as Message;
}

/** Walks the text once, outside strings, and refuses what would build too much. */
function checkShape(text: string): void {
  let depth = 0;
  let values = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22: // "
        for (i++; i < text.length && text.charCodeAt(i) !== 0x22; i++) {
          if (text.charCodeAt(i) === 0x5c) i++;
        }
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > LINK.depthCap) throw tooLarge(`message nested deeper than ${LINK.depthCap}`);
        values++;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
        break;
      case 0x2c: // ,
        if (++values > LINK.valueCap) {
          throw tooLarge(`message with more than ${LINK.valueCap} values`);
        }
        break;
    }
  }
}

function tooLarge(what: string): AppError {
  return new AppError("RequestEntityTooLarge", what);
}

/**
 * Joins `part`s to messages. One message at a time may be in parts, its parts in order; whole
 * messages may come in between (heartbeats do).
 */
export class PartJoiner {
  #id: number | undefined;
  #of = 0;
  #pieces: string[] = [];
  #size = 0;

  /** Characters held now. */
  get held(): number {
    return this.#size;
  }

  /**
   * Takes one part; returns the joined message with the last one.
   *
   * @throws {AppError} BadRequest, RequestEntityTooLarge
   */
  add(part: Message): Message | undefined {
    const { id, n, of, data } = part;
    if (!isCount(id) || !isCount(n) || !isCount(of) || typeof data !== "string") {
      throw new AppError("BadRequest", "part without id, n, of or data");
    }
    if (of < 1 || of > LINK.messageCap / 1024 || n >= of) {
      throw new AppError("BadRequest", `part ${n} of ${of} cannot be`);
    }
    if (n === 0 && this.#id === undefined) this.#start(id, of);
    if (id !== this.#id || of !== this.#of || n !== this.#pieces.length) {
      throw new AppError("BadRequest", `part ${n} of message ${id} is out of order`);
    }
    this.#size += data.length;
    if (this.#size > LINK.messageCap) throw tooLarge("parts of more than the message cap");
    this.#pieces.push(data);
    if (this.#pieces.length < of) return undefined;
    const text = this.#pieces.join("");
    this.#id = undefined;
    this.#pieces = [];
    this.#size = 0;
    const message = parseMessage(text);
    if (message.t === "part") throw new AppError("BadRequest", "part of parts");
    return message;
  }

  #start(id: number, of: number): void {
    this.#id = id;
    this.#of = of;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The bytes of a text frame are checked by the transport; this is for those that have none. */
export function frameSize(frame: string | Uint8Array): number {
  if (typeof frame !== "string") return frame.byteLength;
  return frame.length * 3 <= LINK.frameCap ? frame.length : encoder.encode(frame).byteLength;
}

/** Whether `error` says that the peer broke the protocol (close 4400, or 1009 when too large). */
export function isProtocolError(error: unknown): error is AppError {
  return isAppError(error, "BadRequest", "RequestEntityTooLarge");
}
