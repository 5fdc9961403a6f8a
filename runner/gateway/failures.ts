import { type Clock, type Logger, type Ms, seconds } from "../../core/base/mod.ts";

/** Between two lines about failing calls of one function. */
const QUIET: Ms = seconds(10);

/** Writes of a function's failures the first, then one with their count at most every 10 s. */
export class FailureLog {
  readonly #clock: Clock;
  readonly #log: Logger;
  /** By function; weak, so that a removed one is forgotten. */
  readonly #seen = new WeakMap<object, { at: number; missed: number }>();

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Notes a failed call of the function that `key` stands for. */
  note(key: object, fields: Readonly<Record<string, string>>): void {
    const now = this.#clock.monotonic();
    const seen = this.#seen.get(key);
    if (seen && now - seen.at < QUIET) {
      seen.missed++;
      return;
    }
    const more = seen && seen.missed > 0 ? { failedSinceLastLine: seen.missed + 1 } : {};
    this.#seen.set(key, { at: now, missed: 0 });
    this.#log.warn("function gave no answer", { ...fields, ...more });
  }
}

/** The line of a failure that says why: the engine's texts begin with a trace. */
export function causeOf(message: string): string {
  const trap = message.match(/^\s*(?:\d+: )?(wasm trap: .+)$/m)?.[1];
  if (trap) return trap;
  const caused = message.match(/^Caused by:\n\s*(?:\d+: )?(.+)$/m)?.[1];
  return caused ?? message.split("\n")[0] ?? "";
}
