import type { Clock } from "./clock.ts";
import { systemClock } from "./clock.ts";
import { errorText } from "./errors.ts";

/** How much a line matters. `info` is for state changes and decisions that act. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Values beside the constant message: `node`, `kind`, `ns`, `name`, `uid`, `rv`, `error`, ... */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes structured lines: a constant message and fields. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  with(fields: LogFields): Logger;
}

/** A value that never shows in a log, an error or JSON. Read it with `reveal()`. */
export class Secret<T> {
  readonly #value: T;
  constructor(value: T) {
    this.#value = value;
  }
  /** The value itself. */
  reveal(): T {
    return this.#value;
  }
  /** What JSON shows instead. */
  toJSON(): string {
    return "[secret]";
  }
  toString(): string {
    return "[secret]";
  }
}

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Options of {@linkcode createLogger}. */
export interface LoggerOptions {
  /** Lines below this are dropped. @default {"info"} */
  readonly level?: LogLevel;
  readonly clock?: Clock;
  /** Where a line goes. @default {standard error} */
  readonly write?: (line: string) => void;
  readonly fields?: LogFields;
}

/** A logger that writes one JSON object a line: `time`, `level`, `msg`, then the fields. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const level = options.level ?? "info";
  const clock = options.clock ?? systemClock;
  // deno-lint-ignore no-console -- the one place that writes logs
  const write = options.write ?? ((line: string) => console.error(line));
  const base = options.fields ?? {};
  const emit = (at: LogLevel, msg: string, fields?: LogFields): void => {
    if (RANK[at] < RANK[level]) return;
    const time = new Date(clock.now()).toISOString();
    write(JSON.stringify({ time, level: at, msg, ...base, ...plainFields(fields) }));
  };
  return {
    debug: (msg, fields) => emit("debug", msg, fields),
    info: (msg, fields) => emit("info", msg, fields),
    warn: (msg, fields) => emit("warn", msg, fields),
    error: (msg, fields) => emit("error", msg, fields),
    with: (fields) => createLogger({ ...options, fields: { ...base, ...fields } }),
  };
}

function plainFields(fields: LogFields | undefined): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields ?? {})) {
    out[key] = value instanceof Error
      ? errorText(value)
      : typeof value === "bigint"
      ? value.toString()
      : value;
  }
  return out;
}

/** A logger that drops everything, for tests. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silentLogger,
};
