import type { Clock } from "./clock.ts";
import type { LogFields, Logger } from "./log.ts";
import { minutes, type Ms, ms } from "./units.ts";

/** What is known of something that does not answer. All times are monotonic. */
export interface OutageState {
  /** When it failed first with no success since. */
  readonly since: Ms;
  readonly tries: number;
  /** What was said last, or would be. */
  readonly what: string;
  /** Lines that were written about it. */
  readonly said: number;
  /** Not before this the next line. */
  readonly next: Ms;
}

/** The second line comes so long after the first, the others each so long after the one before. */
const SECOND = minutes(1);
const OTHERS = minutes(10);

/**
 * What a further failure means, and whether to say so. Pure. A line when it goes away, or when that
 * has lasted for `grace`; one after a minute, then one every ten; one at once when it fails otherwise
 * than was said.
 */
export function nextFailure(
  state: OutageState | undefined,
  { what, now, grace = ms(0) }: { readonly what: string; readonly now: Ms; readonly grace?: Ms },
): { readonly state: OutageState; readonly say: boolean } {
  const { since, tries, said, next } = state ??
    { since: now, tries: 0, said: 0, next: ms(now + grace) };
  const other = said > 0 && state?.what !== what;
  const say = other || now >= next;
  const count = other ? 1 : said + 1;
  return {
    say,
    state: {
      since,
      tries: tries + 1,
      what: say || said === 0 ? what : state?.what ?? what,
      said: say ? count : said,
      next: say ? ms(now + (count === 1 ? SECOND : OTHERS)) : next,
    },
  };
}

/** Options of {@linkcode OutageLog}. */
export interface OutageLogOptions {
  readonly clock: Pick<Clock, "monotonic">;
  readonly log: Logger;
  /** Of an outage that is shorter nothing is said. @default {0} */
  readonly grace?: Ms;
}

/**
 * The log of something that is tried again and again while it fails: a few lines at the levels that
 * people read, all tries at `debug`, and how long it took.
 */
export class OutageLog {
  readonly #options: OutageLogOptions;
  #state: OutageState | undefined;

  constructor(options: OutageLogOptions) {
    this.#options = options;
  }

  /** Whether it has failed with no success since. */
  get lasts(): boolean {
    return this.#state !== undefined;
  }

  /**
   * A try has failed. `level` is that of the lines that are to be read; returns whether this was one
   * of them.
   */
  failed(level: "info" | "warn", message: string, fields: LogFields): boolean {
    const { clock, log, grace } = this.#options;
    const now = clock.monotonic();
    const { state, say } = nextFailure(this.#state, {
      what: message,
      now,
      ...(grace === undefined ? {} : { grace }),
    });
    this.#state = state;
    const again = state.tries > 1 ? lasted(state, now) : {};
    log[say ? level : "debug"](message, { ...fields, ...again });
    return say;
  }

  /** A try has succeeded. Gives what to say of the outage that ends, if it was spoken of. */
  ended(): LogFields | undefined {
    const state = this.#state;
    this.#state = undefined;
    if (!state || state.said === 0) return undefined;
    return lasted(state, this.#options.clock.monotonic());
  }
}

function lasted({ since, tries }: OutageState, now: Ms): LogFields {
  return { lasted: `${Math.round((now - since) / 1000)} s`, tries };
}

/** Errors of outages of which somebody else's log tells. */
const told = new WeakSet<object>();

/** Says that an error comes of an outage that is told elsewhere: see {@linkcode failureLevel}. */
export function markTold(error: unknown): void {
  if (typeof error === "object" && error !== null) told.add(error);
}

/** Whether an error, or one that led to it, was marked by {@linkcode markTold}. */
export function isTold(error: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < 5 && typeof current === "object" && current !== null; depth++) {
    if (told.has(current)) return true;
    current = current instanceof Error ? current.cause : undefined;
  }
  return false;
}

/**
 * The level at which to tell of a failure that is tried again. Of a server that is away its client
 * tells, once for all who need it.
 */
export function failureLevel(error: unknown): "warn" | "debug" {
  return isTold(error) ? "debug" : "warn";
}
