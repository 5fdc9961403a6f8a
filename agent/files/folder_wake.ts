import { type Clock, type Ms, ms } from "../../core/base/mod.ts";

/** Polling where a folder cannot be watched: from this, doubling while nothing comes. */
const POLL_FROM = ms(100);
const POLL_TO = ms(2000);

/**
 * Wakes a reader when something in a folder changes or when {@linkcode FolderWake.ring} is called.
 * A ring that comes while nobody waits is kept for the next wait. Where the folder is not there, or
 * the system has no watch left (inotify limits), it looks again after growing waits instead.
 */
export class FolderWake implements Disposable {
  readonly #folder: string;
  readonly #clock: Clock;
  #watcher: Deno.FsWatcher | undefined;
  #rung = false;
  #closed = false;
  #wake: (() => void) | undefined;
  #poll: Ms = POLL_FROM;

  /** Watches `folder`, when it can. */
  constructor(folder: string, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
    this.watch();
  }

  /** Whether the folder is watched, and not polled. */
  get watches(): boolean {
    return this.#watcher !== undefined;
  }

  /**
   * Watches the folder that has the name now, be it another one than before. Returns whether it
   * can; what happened before the call does not ring.
   */
  watch(): boolean {
    this.unwatch();
    if (this.#closed) return false;
    try {
      this.#watcher = Deno.watchFs(this.#folder, { recursive: false });
      this.#pump(this.#watcher);
    } catch {
      // No such folder yet, or no watches left: the waits are bounded instead.
    }
    return this.watches;
  }

  /** Watches no more, and polls, e.g. because the folder is gone. */
  unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
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
    this.unwatch();
    this.#wake?.();
  }

  async #pump(watcher: Deno.FsWatcher): Promise<void> {
    for await (const event of watcher) {
      if (event.kind !== "access") this.ring();
    }
  }
}
