import { type Clock, type Ms, ms } from "../../../core/base/mod.ts";

/** Polling where a folder cannot be watched: from this, doubling while nothing comes. */
const POLL_FROM = ms(100);
const POLL_TO = ms(2000);

/**
 * Wakes a reader when something in a folder changes or when {@linkcode FolderWake.ring} is called.
 * A ring that comes while nobody waits is kept for the next wait. Where the system has no watch
 * left (inotify limits), it looks again after growing waits instead.
 */
export class FolderWake implements Disposable {
  readonly #clock: Clock;
  readonly #watcher: Deno.FsWatcher | undefined;
  #rung = false;
  #closed = false;
  #wake: (() => void) | undefined;
  #poll: Ms = POLL_FROM;

  constructor(folder: string, clock: Clock) {
    this.#clock = clock;
    try {
      this.#watcher = Deno.watchFs(folder, { recursive: false });
      this.#pump(this.#watcher);
    } catch {
      // No such folder yet, or no watches left: the waits below are bounded instead.
      this.#watcher = undefined;
    }
  }

  /** Whether the folder is watched, and not polled. */
  get watches(): boolean {
    return this.#watcher !== undefined;
  }

  /** Wakes the reader. */
  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Resolves at the next ring, at once when there was one since the last wait. */
  async wait(): Promise<void> {
    let timer: Disposable | undefined;
    if (!this.#rung && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        if (!this.#watcher) timer = this.#clock.timer(this.#poll, resolve);
      });
      timer?.[Symbol.dispose]();
      this.#poll = this.#rung ? POLL_FROM : ms(Math.min(POLL_TO, this.#poll * 2));
    }
    this.#wake = undefined;
    this.#rung = false;
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watcher?.close();
    this.#wake?.();
  }

  async #pump(watcher: Deno.FsWatcher): Promise<void> {
    for await (const event of watcher) {
      if (event.kind !== "access") this.ring();
    }
  }
}
