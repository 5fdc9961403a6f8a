import { AppError } from "../../../core/base/mod.ts";

/** A longer head is no answer to a probe. */
const HEAD_CAP = 64 * 1024;
/** As much of a body as the kubelet reads. */
const BODY_CAP = 10 * 1024;
const LINE_CAP = 1024;
const LINE_FEED = 10;
/** Informational answers that may come before the real one. */
const MAX_EARLY = 5;

/** What is read of an answer over HTTP/1. */
export interface HttpResponse {
  readonly status: number;
  /** Where a redirect points. */
  readonly location?: string;
  /** The first 10 KiB. */
  readonly body: string;
}

interface Head {
  readonly status: number;
  readonly location?: string;
  readonly body: Body;
}

/** Tells how long a body is: takes its bytes, answers whether it is complete. */
interface Body {
  push(bytes: Uint8Array, keep: (bytes: Uint8Array) => void): boolean;
  /** Whether the connection may end here. */
  readonly mayEnd: boolean;
}

/** Reads one HTTP/1 answer out of bytes, however they are cut. Throws when they are none. */
export class HttpResponseReader {
  #text = "";
  #early = 0;
  #head: Head | undefined;
  #kept = new Uint8Array(0);
  #done = false;

  /** Takes the next bytes. Returns whether no more are needed. */
  push(chunk: Uint8Array): boolean {
    let rest: Uint8Array | undefined = chunk;
    while (!this.#head && rest && rest.length > 0) rest = this.#pushHead(rest);
    if (!this.#head || !rest) return false;
    this.#done ||= this.#head.body.push(rest, (bytes) => this.#keep(bytes));
    return this.#done || this.#kept.length >= BODY_CAP;
  }

  /** The answer, when {@linkcode push} needs no more or the connection has ended. */
  end(): HttpResponse {
    const head = this.#head;
    if (!head && this.#text === "") throw malformed("EOF");
    if (!head) throw malformed("the answer ended in its head");
    if (!this.#done && !head.body.mayEnd && this.#kept.length < BODY_CAP) {
      throw malformed("unexpected EOF");
    }
    const body = new TextDecoder().decode(this.#kept);
    const { status, location } = head;
    return { status, body, ...(location === undefined ? {} : { location }) };
  }

  /** Takes bytes of the head; returns what follows the head once it is whole. */
  #pushHead(chunk: Uint8Array): Uint8Array | undefined {
    const before = this.#text.length;
    this.#text += new TextDecoder("latin1").decode(chunk);
    const blank = /\r?\n\r?\n/g;
    blank.lastIndex = Math.max(0, before - 3);
    const found = blank.exec(this.#text);
    if (!found) {
      if (this.#text.length > HEAD_CAP) throw malformed("its head is too long");
      return undefined;
    }
    const head = parseHead(this.#text.slice(0, found.index));
    this.#text = "";
    if (head.status >= 200 || head.status === 101) this.#head = head;
    else if (++this.#early > MAX_EARLY) throw malformed("too many 1xx informational responses");
    return chunk.subarray(found.index + found[0].length - before);
  }

  #keep(bytes: Uint8Array): void {
    const more = bytes.subarray(0, BODY_CAP - this.#kept.length);
    const all = new Uint8Array(this.#kept.length + more.length);
    all.set(this.#kept);
    all.set(more, this.#kept.length);
    this.#kept = all;
  }
}

function parseHead(text: string): Head {
  const [first = "", ...lines] = text.split(/\r?\n/);
  const status = Number(/^HTTP\/1\.[01] ([1-9]\d\d)(?: |$)/.exec(first)?.[1]);
  if (!status) throw malformed(`malformed HTTP response ${JSON.stringify(first.slice(0, 80))}`);
  const values = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) values.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const location = values.get("location");
  return { status, body: bodyOf(status, values), ...(location ? { location } : {}) };
}

function bodyOf(status: number, headers: ReadonlyMap<string, string>): Body {
  if (status === 204 || status === 304) return new SizedBody(0);
  if (/\bchunked\b/i.test(headers.get("transfer-encoding") ?? "")) return new ChunkedBody();
  const length = headers.get("content-length");
  if (length === undefined) return { push: (bytes, keep) => (keep(bytes), false), mayEnd: true };
  if (!/^\d{1,15}$/.test(length)) throw malformed(`bad Content-Length ${JSON.stringify(length)}`);
  return new SizedBody(Number(length));
}

class SizedBody implements Body {
  #left: number;

  constructor(size: number) {
    this.#left = size;
  }

  get mayEnd(): boolean {
    return this.#left <= 0;
  }

  push(bytes: Uint8Array, keep: (bytes: Uint8Array) => void): boolean {
    keep(bytes.subarray(0, this.#left));
    this.#left -= bytes.length;
    return this.mayEnd;
  }
}

class ChunkedBody implements Body {
  readonly mayEnd = false;
  #part: "size" | "data" | "after" | "trailer" = "size";
  #line = "";
  #left = 0;

  push(bytes: Uint8Array, keep: (bytes: Uint8Array) => void): boolean {
    for (let at = 0; at < bytes.length;) {
      if (this.#part === "data") {
        const data = bytes.subarray(at, at + this.#left);
        keep(data);
        at += data.length;
        this.#left -= data.length;
        if (this.#left === 0) this.#part = "after";
        continue;
      }
      const byte = bytes[at++] ?? 0;
      if (byte === LINE_FEED) {
        if (this.#takeLine()) return true;
      } else {
        this.#line += String.fromCharCode(byte);
        if (this.#line.length > LINE_CAP) throw malformed("a chunk's line is too long");
      }
    }
    return false;
  }

  #takeLine(): boolean {
    const line = this.#line.replace(/\r$/, "");
    this.#line = "";
    if (this.#part === "trailer") return line === "";
    if (this.#part === "after") {
      this.#part = "size";
      return false;
    }
    const size = /^([0-9a-f]{1,12})\s*(?:;|$)/i.exec(line)?.[1];
    if (size === undefined) throw malformed("malformed chunked encoding");
    this.#left = parseInt(size, 16);
    this.#part = this.#left === 0 ? "trailer" : "data";
    return false;
  }
}

function malformed(why: string): AppError {
  return new AppError("BadRequest", why);
}
