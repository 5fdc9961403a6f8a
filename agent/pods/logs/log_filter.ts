import { fromTime, type Ms } from "../../../core/base/mod.ts";

/** What a {@linkcode LogFilter} lets through. */
export interface LogFilterOptions {
  /** Show the time of each line. */
  readonly timestamps: boolean;
  /** Only lines from this time on. */
  readonly since?: Ms;
  /** Most bytes to answer in all. */
  readonly limitBytes?: number;
}

const NEWLINE = 0x0a;
const SPACE = 0x20;
const PARTIAL = 0x50;
/** Longest entry that is kept while its end has not come; containerd cuts lines at 16 KiB. */
const ENTRY_CAP = 256 * 1024;
const decoder = new TextDecoder();

/**
 * Turns the bytes of a CRI log file into what the container printed: takes away time, stream and
 * tag of each entry, joins partial lines. Damaged entries are passed over.
 */
export class LogFilter {
  readonly #options: LogFilterOptions;
  #rest: Uint8Array<ArrayBuffer> = new Uint8Array();
  #left: number;
  #since: Ms | undefined;
  /** The entry before was the first part of a line. */
  #open = false;

  constructor(options: LogFilterOptions) {
    this.#options = options;
    this.#left = options.limitBytes ?? Infinity;
    this.#since = options.since;
  }

  /** Whether the limit is used up. */
  get full(): boolean {
    return this.#left <= 0;
  }

  /** Begins another file: an entry that was cut at the end of the one before is dropped. */
  reset(): void {
    this.#rest = new Uint8Array();
  }

  /** Takes the next bytes of the file and returns what they show. */
  push(chunk: Uint8Array): Uint8Array<ArrayBuffer> {
    const data = this.#rest.length === 0 ? chunk : joined(this.#rest, chunk);
    // Never longer than what came in: every entry loses its head, and gains none.
    const out = new Uint8Array(data.length);
    let size = 0;
    let start = 0;
    for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
      size = this.#entry(data, { start, end }, { out, size });
      start = end + 1;
    }
    const rest = data.subarray(start);
    this.#rest = rest.length > ENTRY_CAP ? new Uint8Array() : rest.slice();
    const shown = Math.min(size, this.#left);
    this.#left -= shown;
    return out.subarray(0, shown);
  }

  #entry(
    data: Uint8Array,
    { start, end }: { start: number; end: number },
    { out, size }: { out: Uint8Array; size: number },
  ): number {
    const time = data.indexOf(SPACE, start);
    const stream = time < 0 || time > end ? -1 : data.indexOf(SPACE, time + 1);
    const tag = stream < 0 || stream > end ? -1 : data.indexOf(SPACE, stream + 1);
    // "stdout" and "stderr" have six letters: anything else is no entry.
    if (tag < 0 || tag > end || stream - time !== 7) return size;
    if (!this.#isDue(data, start, time)) return size;
    let at = size;
    if (this.#options.timestamps && !this.#open) {
      out.set(data.subarray(start, time + 1), at);
      at += time + 1 - start;
    }
    out.set(data.subarray(tag + 1, end), at);
    at += end - tag - 1;
    this.#open = data[stream + 1] === PARTIAL;
    if (!this.#open) out[at++] = NEWLINE;
    return at;
  }

  /** Entries are in order of time, so only those before the first that is due are read for it. */
  #isDue(data: Uint8Array, start: number, end: number): boolean {
    if (this.#since === undefined) return true;
    const at = fromTime(decoder.decode(data.subarray(start, end)));
    if (at === undefined || at < this.#since) return false;
    this.#since = undefined;
    return true;
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
