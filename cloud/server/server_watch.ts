import {
  AppError,
  type Clock,
  type Logger,
  type Ms,
  ms,
  seconds,
  type Service,
  sleep,
} from "../../core/base/mod.ts";
import { HERE, nextReach, type Reach } from "./reach.ts";

/** How an API server stands, for those who pass requests on to it. */
export interface ServerPhase {
  /** Whether it has given nobody an answer for some seconds. */
  readonly away: boolean;
  /** Aborts when that changes. */
  readonly ends: AbortSignal;
}

/** Options of {@linkcode ServerWatch}. */
export interface ServerWatchOptions {
  /**
   * Whether the server gives something small that this hub may have; of one that is away, whether it
   * is ready: a server that starts anew refuses what it allows later. Must end within seconds.
   */
  readonly probe: (away: boolean, signal: AbortSignal) => Promise<boolean>;
  /** Monotonic; when the server gave its last answer to this hub, to whatever was asked. */
  readonly heard: () => Ms;
  /** Told when it goes away and when it is back. */
  readonly onChange: (away: boolean) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A server that has said nothing for so long, because nobody has asked, is asked. */
const QUIET = seconds(3);
/** One that gives no answer is asked again after this. */
const PAUSE = ms(500);

/**
 * Knows whether the API server is away, soon after it is so and soon after it is so no more, though
 * a server that stands still tells nobody (`docs/decisions/052-pods-without-api-server.md`).
 */
export class ServerWatch {
  readonly #options: ServerWatchOptions;
  #reach: Reach = HERE;
  #change = new AbortController();
  #wake: (() => void) | undefined;
  /** Those who want to know, until it has been asked. */
  #asking: PromiseWithResolvers<boolean> | undefined;

  constructor(options: ServerWatchOptions) {
    this.#options = options;
  }

  /** The present phase. */
  get phase(): ServerPhase {
    return { away: this.#reach.away, ends: this.#change.signal };
  }

  /** Whether the server answers anybody, as one small request shows that is made now or under way. */
  answers(): Promise<boolean> {
    this.#asking ??= Promise.withResolvers();
    this.#wake?.();
    return this.#asking.promise;
  }

  /** Asks, as long as it runs. */
  service(): Service {
    return {
      name: "api-server-watch",
      onFailure: "restart",
      run: async (signal, ready) => {
        ready();
        while (!signal.aborted) {
          await this.#pause(signal);
          if (!signal.aborted) await this.#ask(signal);
        }
      },
    };
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const { clock, heard, probe } = this.#options;
    const from = clock.monotonic();
    const ok = await probe(this.#reach.away, signal).catch((error) => {
      if (signal.aborted) return false;
      throw error;
    });
    if (signal.aborted) return;
    const asked = { from, now: clock.monotonic(), ok, heard: heard() };
    this.#set(nextReach(this.#reach, asked));
    this.#asking?.resolve(ok || asked.heard > from);
    this.#asking = undefined;
  }

  #set(next: Reach): void {
    const { away } = this.#reach;
    this.#reach = next;
    if (next.away === away) return;
    const { log, onChange } = this.#options;
    const before = this.#change;
    this.#change = new AbortController();
    const why = next.away ? "the API server is away" : "the API server is back";
    log.info("nodes are told how the API server stands", { away: next.away });
    before.abort(new AppError("ServiceUnavailable", why));
    onChange(next.away);
  }

  /** Until it is to be asked: while it answers others, that is when somebody wants to know. */
  async #pause(signal: AbortSignal): Promise<void> {
    const { clock, heard } = this.#options;
    if (this.#reach !== HERE) return await this.#sleep(PAUSE, signal);
    for (;;) {
      const quiet = clock.monotonic() - heard();
      if (signal.aborted || this.#asking || quiet >= QUIET) return;
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      signal.addEventListener("abort", this.#wake, { once: true });
      await this.#sleep(ms(QUIET - quiet), woken.signal);
      signal.removeEventListener("abort", this.#wake);
      this.#wake = undefined;
    }
  }

  async #sleep(span: Ms, signal: AbortSignal): Promise<void> {
    await sleep(this.#options.clock, span, signal).catch(() => {/* stopped, or woken */});
  }
}
