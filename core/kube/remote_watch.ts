import { AppError, type Clock, errorText, isAppError, patientTimer, seconds } from "../base/mod.ts";
import type { Watch, WatchEvent } from "../store/mod.ts";
import { readLines } from "./lines.ts";
import { readWatchLine } from "./watch_event.ts";

/** What exists when a watch begins, page by page. */
export interface InitialPage {
  readonly events: readonly WatchEvent[];
  /** Gives the next page; absent on the last one. */
  readonly next?: () => Promise<InitialPage>;
  /** The version that all pages show. */
  readonly resourceVersion: string;
}

/** Options of {@linkcode RemoteWatch}. */
export interface RemoteWatchOptions {
  /** The request, for messages. */
  readonly what: string;
  readonly clock: Clock;
  /** Opens the server's watch from a version. */
  readonly open: (
    resourceVersion: string,
    signal: AbortSignal,
  ) => Promise<ReadableStream<Uint8Array>>;
  /** Where it starts: at a version, with its body already open, or with what exists. */
  readonly start:
    | { readonly resourceVersion: string; readonly body: ReadableStream<Uint8Array> }
    | InitialPage;
  /** Events that may wait for the reader. */
  readonly buffer: number;
  /** Told of the version of each event. */
  readonly saw: (version: string) => void;
  /** Ends the body that `start` brings. */
  readonly controller: AbortController;
}

/**
 * A silent watch is dead after this long: the server sends a bookmark a minute (measured: 59.4 s).
 * A server that stands still, or a connection whose other end is gone, looks the same and says
 * nothing.
 */
const SILENCE = seconds(75);
/**
 * A watch that the server ends sooner than this is a failure: opened again at once and again it
 * would spin. So client-go's reflector.
 */
const SHORTEST = seconds(1);
/** Largest event: Kubernetes keeps objects below 3 MiB. */
const MAX_LINE = 16 * 2 ** 20;

/**
 * A watch of an API server. The server ends each watch after some minutes; this one goes on by
 * itself from the last version. Anything else that ends it is thrown: whoever reads decides.
 */
export class RemoteWatch implements Watch {
  readonly #options: RemoteWatchOptions;
  readonly #ready: WatchEvent[] = [];
  #initial: InitialPage | undefined;
  #wake: PromiseWithResolvers<void> | undefined;
  #ended = false;
  #error: unknown;
  #following: Promise<void> | undefined;

  constructor(options: RemoteWatchOptions) {
    this.#options = options;
    const { start } = options;
    if ("body" in start) this.#follow(start.resourceVersion, start.body);
    else this.#initial = start;
  }

  abort(): void {
    this.#end(undefined);
  }

  /** Resolves when it has let go of its connection: a moment after its end. */
  async closed(): Promise<void> {
    await this.#following;
  }

  [Symbol.dispose](): void {
    this.abort();
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchEvent> {
    return {
      next: () => this.#next(),
      return: () => {
        this.abort();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  async #next(): Promise<IteratorResult<WatchEvent>> {
    for (;;) {
      const event = this.#ready.shift();
      if (event) return { done: false, value: event };
      if (this.#error !== undefined) {
        const error = this.#error;
        this.#error = undefined;
        throw error;
      }
      if (this.#ended) return { done: true, value: undefined };
      if (this.#initial) await this.#readPage(this.#initial);
      else {
        this.#wake ??= Promise.withResolvers();
        await this.#wake.promise;
      }
    }
  }

  /** The pages come as the reader takes them; only then the watch is opened, from their version. */
  async #readPage(page: InitialPage): Promise<void> {
    this.#ready.push(...page.events);
    if (page.next) {
      try {
        this.#initial = await page.next();
      } catch (error) {
        this.#end(error);
      }
      return;
    }
    this.#initial = undefined;
    const { resourceVersion } = page;
    this.#ready.push({ type: "BOOKMARK", resourceVersion, initialEnd: true });
    this.#follow(resourceVersion);
  }

  #follow(resourceVersion: string, body?: ReadableStream<Uint8Array>): void {
    if (this.#following || this.#ended) return;
    this.#following = this.#run(resourceVersion, body).then(
      () => this.#end(undefined),
      (error) => this.#end(error),
    );
  }

  async #run(from: string, opened?: ReadableStream<Uint8Array>): Promise<void> {
    const { what, clock, open, controller: { signal } } = this.#options;
    let version = from;
    let body = opened;
    while (!signal.aborted) {
      const since = clock.monotonic();
      body ??= await open(version, signal);
      version = await this.#readBody(body, version);
      body = undefined;
      if (signal.aborted || clock.monotonic() - since >= SHORTEST) continue;
      throw new AppError("ServiceUnavailable", `${what}: the server ended it at once`);
    }
  }

  /** Reads until the server ends its answer. Returns the last version. */
  async #readBody(body: ReadableStream<Uint8Array>, from: string): Promise<string> {
    const { what, buffer, clock, controller } = this.#options;
    let version = from;
    const heard = (): Disposable =>
      patientTimer(clock, SILENCE, () =>
        controller.abort(
          new AppError("Timeout", `${what}: nothing came for ${SILENCE / 1000} s`),
        ));
    let silence = heard();
    try {
      for await (const line of readLines(body, MAX_LINE)) {
        silence[Symbol.dispose]();
        silence = heard();
        if (line === "") continue;
        const event = readWatchLine(line, what);
        this.#options.saw(event.resourceVersion);
        version = event.resourceVersion;
        if (this.#ended) break;
        if (this.#ready.length >= buffer) {
          throw new AppError("Expired", `${what}: the reader is ${buffer} events behind`);
        }
        this.#ready.push(event);
        this.#wakeUp();
      }
      return version;
    } catch (error) {
      if (isAppError(error)) throw error;
      const { reason } = controller.signal;
      if (isAppError(reason)) throw reason;
      throw new AppError("ServiceUnavailable", `${what} broke off: ${errorText(error)}`, {
        cause: error,
      });
    } finally {
      silence[Symbol.dispose]();
    }
  }

  #end(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#initial = undefined;
    this.#error = error;
    if (error === undefined) this.#ready.length = 0;
    this.#options.controller.abort(new AppError("ServiceUnavailable", "the watch is over"));
    this.#wakeUp();
  }

  #wakeUp(): void {
    this.#wake?.resolve();
    this.#wake = undefined;
  }
}

/** How long the server is asked to keep a watch: five to ten minutes, so that not all end at once. */
export function watchSeconds(random: () => number): number {
  return Math.round(300 + 300 * random());
}
