/** Version of the envelope, its first word. docs/guest-abi.md is normative. */
export const ENVELOPE_VERSION = 1;

/** Size of a request's fixed part, in bytes. */
export const REQUEST_HEAD = 28;
/** Size of a response's fixed part, in bytes. */
export const RESPONSE_HEAD = 20;

/** A request as a guest sees it. */
export interface GuestRequest {
  readonly method: string;
  /** Path as it came, percent-encoding and all. */
  readonly path: string;
  /** What follows `?`, without it; `""` when there is none. */
  readonly query: string;
  /** Names in lower case. */
  readonly headers: Iterable<[string, string]>;
  readonly body: Uint8Array;
}

/** A guest's answer. */
export interface GuestResponse {
  readonly status: number;
  readonly headers: [string, string][];
  /** A view into the envelope. */
  readonly body: Uint8Array<ArrayBuffer>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** Texts up to this length are read and written letter by letter. */
const SHORT = 64;

/** Writes requests into one buffer that grows and is used again. */
export class RequestEncoder {
  #buffer = new Uint8Array(16384);
  #view = new DataView(this.#buffer.buffer);
  #at = 0;

  /**
   * The envelope of a request. The result is a view of this encoder's buffer: it holds until the
   * next call; `slice()` it to keep it.
   */
  encode(request: GuestRequest): Uint8Array<ArrayBuffer> {
    this.#at = REQUEST_HEAD;
    const method = this.#text(request.method);
    const path = this.#text(request.path);
    const query = this.#text(request.query);
    const headersAt = this.#at;
    let count = 0;
    for (const [name, value] of request.headers) {
      if (HOP_BY_HOP.has(name)) continue;
      const lengths = this.#at;
      this.#at += 8;
      const nameSize = this.#text(name);
      const valueSize = this.#text(value);
      this.#view.setUint32(lengths, nameSize, true);
      this.#view.setUint32(lengths + 4, valueSize, true);
      count++;
    }
    const headerSize = this.#at - headersAt;
    this.#room(request.body.length);
    if (request.body.length > 0) this.#buffer.set(request.body, this.#at);
    this.#at += request.body.length;
    const view = this.#view;
    view.setUint32(0, ENVELOPE_VERSION, true);
    view.setUint32(4, method, true);
    view.setUint32(8, path, true);
    view.setUint32(12, query, true);
    view.setUint32(16, count, true);
    view.setUint32(20, headerSize, true);
    view.setUint32(24, request.body.length, true);
    return this.#buffer.subarray(0, this.#at);
  }

  /** Appends a text and returns its size in bytes. */
  #text(text: string): number {
    const { length } = text;
    this.#room(length * 3 + 8);
    if (length <= SHORT) {
      // Letter by letter is cheaper than the encoder for a short text, which is ASCII as a rule.
      const [buffer, at] = [this.#buffer, this.#at];
      let i = 0;
      for (; i < length; i++) {
        const code = text.charCodeAt(i);
        if (code > 0x7f) break;
        buffer[at + i] = code;
      }
      if (i === length) {
        this.#at += length;
        return length;
      }
    }
    const { written } = encoder.encodeInto(text, this.#buffer.subarray(this.#at));
    this.#at += written;
    return written;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const size = Math.max(this.#buffer.length * 2, this.#at + bytes + 1024);
    const grown = new Uint8Array(size);
    grown.set(this.#buffer.subarray(0, this.#at));
    this.#buffer = grown;
    this.#view = new DataView(grown.buffer);
  }

  /** Gives back a buffer that a large body made grow. */
  shrink(): void {
    if (this.#buffer.length <= 262_144) return;
    this.#buffer = new Uint8Array(16384);
    this.#view = new DataView(this.#buffer.buffer);
  }
}

/** Most headers in a guest's answer. */
const MAX_HEADERS = 128;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// Visible characters, space and tab: what a header may hold on the wire.
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Headers that belong to a connection, not to a message (RFC 9110 7.6.1), and those set by the server. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Reads a guest's answer; a text says what is wrong with it. */
export function decodeResponse(bytes: Uint8Array<ArrayBuffer>): GuestResponse | string {
  if (bytes.length < RESPONSE_HEAD) {
    return `the answer is ${bytes.length} bytes, an envelope has at least ${RESPONSE_HEAD}`;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(0, true);
  if (version !== ENVELOPE_VERSION) return `the answer begins with version ${version}, not 1`;
  const status = view.getUint32(4, true);
  if (status < 200 || status > 599) return `the answer has status ${status}, not 200 to 599`;
  const count = view.getUint32(8, true);
  const headerSize = view.getUint32(12, true);
  const bodySize = view.getUint32(16, true);
  if (RESPONSE_HEAD + headerSize + bodySize !== bytes.length) {
    return `the answer says ${headerSize} bytes of headers and ${bodySize} of body, ` +
      `but is ${bytes.length} bytes long`;
  }
  if (count > MAX_HEADERS) return `the answer has ${count} headers, at most ${MAX_HEADERS}`;
  const headers = decodeHeaders(view, bytes, { count, end: RESPONSE_HEAD + headerSize });
  if (typeof headers === "string") return headers;
  return { status, headers, body: bytes.subarray(RESPONSE_HEAD + headerSize) };
}

function decodeHeaders(
  view: DataView,
  bytes: Uint8Array,
  block: { readonly count: number; readonly end: number },
): [string, string][] | string {
  const headers: [string, string][] = [];
  let at = RESPONSE_HEAD;
  for (let i = 0; i < block.count; i++) {
    if (at + 8 > block.end) return `header ${i} of the answer lies outside of the header block`;
    const nameSize = view.getUint32(at, true);
    const valueSize = view.getUint32(at + 4, true);
    at += 8;
    if (at + nameSize + valueSize > block.end) {
      return `header ${i} of the answer lies outside of the header block`;
    }
    const name = headerText(bytes, at, nameSize);
    const value = headerText(bytes, at + nameSize, valueSize);
    at += nameSize + valueSize;
    const problem = addHeader(headers, name, value);
    if (problem !== undefined) return problem;
  }
  return at === block.end ? headers : "the answer's header block is longer than its headers";
}

/** A short text of ASCII costs less letter by letter than through a decoder. */
function headerText(bytes: Uint8Array, at: number, size: number): string {
  if (size > SHORT) return decoder.decode(bytes.subarray(at, at + size));
  let text = "";
  for (let i = at; i < at + size; i++) {
    const byte = bytes[i] ?? 0;
    if (byte > 0x7e) return decoder.decode(bytes.subarray(at, at + size));
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Adds a header of an answer; a text says why it cannot be one. Drops what belongs to the connection. */
export function addHeader(
  headers: [string, string][],
  name: string,
  value: string,
): string | undefined {
  if (!TOKEN.test(name)) return `the answer has a header with the bad name ${JSON.stringify(name)}`;
  if (!FIELD_VALUE.test(value)) return `the answer's header ${name} has a bad value`;
  const lower = name.toLowerCase();
  if (!HOP_BY_HOP.has(lower) && lower !== "content-length") headers.push([lower, value]);
  return undefined;
}
