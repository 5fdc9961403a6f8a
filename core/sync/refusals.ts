import { type Clock, type LogFields, type Logger, OutageLog } from "../base/mod.ts";

/** Keys of which it is remembered that they are refused. */
const REMEMBERED = 512;
/** Events have a key each: they are spoken of together. */
const EVENTS = "event";

/** Options of {@linkcode RefusalLog}. */
export interface RefusalLogOptions {
  readonly clock: Pick<Clock, "monotonic">;
  readonly log: Logger;
  /** Level of the lines that are to be read. */
  readonly level: "info" | "warn";
  /** What they say. */
  readonly message: string;
}

/**
 * The log of intents that are refused for good. What is wrong with an object is mostly wrong with its
 * next report as well, and a pod that starts again and again has many: a few lines tell of it.
 */
export class RefusalLog {
  readonly #options: RefusalLogOptions;
  readonly #outages = new Map<string, OutageLog>();

  constructor(options: RefusalLogOptions) {
    this.#options = options;
  }

  /**
   * An intent was refused. Returns whether that was said at the level that people read: what is about
   * an object that has gone meanwhile, or goes with its namespace, is not.
   */
  refused(
    key: string,
    fields: LogFields & { readonly code: string; readonly error: string },
  ): boolean {
    if (isOrdinary(fields)) {
      this.#options.log.debug(this.#options.message, { key, ...fields });
      return false;
    }
    const about = aboutOf(key);
    const outage = this.#outages.get(about) ?? new OutageLog(this.#options);
    this.#outages.delete(about);
    this.#outages.set(about, outage);
    if (this.#outages.size > REMEMBERED) {
      const [oldest] = this.#outages.keys();
      if (oldest !== undefined) this.#outages.delete(oldest);
    }
    return outage.failed(this.#options.level, this.#options.message, { key, ...fields });
  }

  /** An intent was applied: what is refused of its key from now on is news. */
  applied(key: string): void {
    this.#outages.delete(aboutOf(key));
  }
}

/** Reports cross with deletions all the time. */
function isOrdinary({ code, error }: { readonly code: string; readonly error: string }): boolean {
  return code === "NotFound" || (code === "Forbidden" && /being terminated/.test(error));
}

function aboutOf(key: string): string {
  return key.startsWith(`${EVENTS}/`) ? EVENTS : key;
}
