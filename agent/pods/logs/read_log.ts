import type { PodLogOptions } from "../../../core/api/mod.ts";
import { type Clock, type Ms, ms } from "../../../core/base/mod.ts";
import { LogFilter } from "./log_filter.ts";
import { tailStart } from "./tail_start.ts";
import { FolderWake } from "../../files/mod.ts";

/** The log of one run of a container. */
export interface LogSource {
  /** Absolute path of the file. */
  readonly path: string;
  /** Whether the run may still print. */
  readonly running: () => boolean;
  /** Calls `wake` whenever `running` may answer something else. */
  readonly subscribe: (wake: () => void) => Disposable;
}

const CHUNK = 64 * 1024;

/**
 * Reads a container's log as the container printed it. With `follow` the stream goes on, over
 * rotations, until the run ends. It reads only when the reader asks for more, waits without
 * polling, and frees file and watch when the reader cancels or `signal` aborts.
 */
export function readLog(
  source: LogSource,
  options: Omit<PodLogOptions, "container" | "previous">,
  rim: { readonly clock: Clock; readonly signal: AbortSignal },
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = new LogReader(source, options, rim.clock);
  const onAbort = (): void => reader.end();
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start() {
      if (rim.signal.aborted) reader.end();
      rim.signal.addEventListener("abort", onAbort, { once: true });
    },
    async pull(controller) {
      try {
        const chunk = await reader.next();
        if (chunk) return controller.enqueue(chunk);
        rim.signal.removeEventListener("abort", onAbort);
        controller.close();
      } catch (error) {
        reader.end();
        rim.signal.removeEventListener("abort", onAbort);
        throw error;
      }
    },
    cancel() {
      rim.signal.removeEventListener("abort", onAbort);
      reader.end();
    },
  }, { highWaterMark: 0 });
}

class LogReader {
  readonly #source: LogSource;
  readonly #options: Omit<PodLogOptions, "container" | "previous">;
  readonly #clock: Clock;
  readonly #filter: LogFilter;
  readonly #buffer = new Uint8Array(CHUNK);
  readonly #folder: string;
  #file: Deno.FsFile | undefined;
  #inode: number | null = null;
  #opened = false;
  #wake: FolderWake | undefined;
  #subscription: Disposable | undefined;
  #ended = false;
  #busy = false;

  constructor(
    source: LogSource,
    options: Omit<PodLogOptions, "container" | "previous">,
    clock: Clock,
  ) {
    this.#source = source;
    this.#options = options;
    this.#clock = clock;
    this.#folder = source.path.slice(0, source.path.lastIndexOf("/"));
    const since = sinceOf(options, clock.now());
    this.#filter = new LogFilter({
      timestamps: options.timestamps,
      ...(since === undefined ? {} : { since }),
      ...(options.limitBytes === undefined ? {} : { limitBytes: options.limitBytes }),
    });
  }

  /** The next bytes; `undefined` at the end. */
  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    this.#busy = true;
    try {
      while (!this.#ended && !this.#filter.full) {
        // Asked before reading: what was printed before the end is then surely read.
        const running = this.#source.running();
        if (this.#options.follow) this.#follow();
        const out = await this.#read();
        if (out) return out;
        if (this.#ended || await this.#reopen()) continue;
        if (!this.#options.follow || !running) break;
        await this.#wake?.wait();
      }
    } finally {
      this.#busy = false;
      if (this.#ended) this.#free();
    }
    this.end();
    return undefined;
  }

  /** Frees everything, now or as soon as a read that is under way returns. */
  end(): void {
    this.#ended = true;
    this.#wake?.[Symbol.dispose]();
    this.#subscription?.[Symbol.dispose]();
    if (!this.#busy) this.#free();
  }

  #free(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #follow(): void {
    if (this.#wake?.watches) return;
    // The folder may not have been there the first time.
    const wake = new FolderWake(this.#folder, this.#clock);
    if (this.#wake && !wake.watches) return wake[Symbol.dispose]();
    this.#wake?.[Symbol.dispose]();
    this.#subscription?.[Symbol.dispose]();
    this.#wake = wake;
    this.#subscription = this.#source.subscribe(() => wake.ring());
  }

  async #read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (!this.#file && !await this.#open()) return undefined;
    for (;;) {
      const count = await this.#file?.read(this.#buffer);
      if (!count || this.#ended) return undefined;
      const out = this.#filter.push(this.#buffer.subarray(0, count));
      if (out.length > 0 || this.#filter.full) return out.length > 0 ? out : undefined;
    }
  }

  async #open(): Promise<boolean> {
    try {
      this.#file = await Deno.open(this.#source.path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
    this.#inode = (await this.#file.stat()).ino;
    // Only the first file is cut at its start: one that came by rotation is new from its beginning.
    const { tailLines } = this.#options;
    if (!this.#opened && tailLines !== undefined) {
      await this.#file.seek(await tailStart(this.#file, tailLines), Deno.SeekMode.Start);
    }
    this.#opened = true;
    return true;
  }

  /** After a rotation another file has the name: goes on there. */
  async #reopen(): Promise<boolean> {
    if (!this.#file || !this.#options.follow) return false;
    let now: Deno.FileInfo;
    try {
      now = await Deno.stat(this.#source.path);
    } catch (error) {
      // Renamed, and the new one is not there yet.
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
    if (now.ino === this.#inode) return false;
    // Between the last read and the rename the old file may have grown.
    const count = await this.#file.read(this.#buffer);
    if (count) {
      await this.#file.seek(-count, Deno.SeekMode.Current);
      return true;
    }
    this.#file.close();
    this.#file = undefined;
    this.#filter.reset();
    return true;
  }
}

function sinceOf(options: { sinceSeconds?: number; sinceTime?: Ms }, now: Ms): Ms | undefined {
  if (options.sinceTime !== undefined) return options.sinceTime;
  return options.sinceSeconds === undefined ? undefined : ms(now - options.sinceSeconds * 1000);
}
