import { AppError, type StateTrouble } from "../base/mod.ts";

/** A database file that cannot be trusted any more. See `quarantineStore`. */
export class DamagedStoreError extends AppError {
  /** The file. */
  readonly path: string;
  constructor(path: string, detail: string, cause?: unknown) {
    super(
      "InternalError",
      `the store ${path} is damaged (${detail}): stop the process that uses it, then put a copy of ` +
        `it back, or move ${path} with its -wal and -shm files elsewhere to start with an empty one`,
      { cause, state: "damaged" },
    );
    this.path = path;
  }
}

interface SqliteFailure {
  readonly message: string;
  readonly errcode?: number;
}

function isSqliteFailure(error: unknown): error is Error & SqliteFailure {
  return error instanceof Error && (error as { code?: unknown }).code === "ERR_SQLITE_ERROR";
}

/** SQLite's primary result codes and, as `exec` and opening give no code, its texts. */
const TABLE: readonly [number, RegExp, (path: string, cause: Error) => AppError][] = [
  [
    13,
    /disk is full/,
    (path, cause) =>
      unavailable(
        `nothing was written to the store ${path}: the disk (or its size limit) is full; free some space`,
        cause,
      ),
  ],
  [
    8,
    /readonly database/,
    (path, cause) =>
      unavailable(
        `nothing was written to the store ${path}: the file is read-only; check it and its folder`,
        cause,
        "unusable",
      ),
  ],
  [
    5,
    /database is locked/,
    (path, cause) =>
      unavailable(
        `the store ${path} is in use by another process; stop that one first`,
        cause,
        "in-use",
      ),
  ],
  [
    10,
    /disk I\/O error/,
    (path, cause) =>
      unavailable(`the store ${path} cannot be read or written: disk I/O error`, cause),
  ],
  [
    14,
    /unable to open/,
    (path, cause) =>
      unavailable(
        `the store ${path} cannot be opened: check its folder and its permissions`,
        cause,
      ),
  ],
  [11, /malformed/, (path, cause) => new DamagedStoreError(path, cause.message, cause)],
  [26, /not a database/, (path, cause) => new DamagedStoreError(path, cause.message, cause)],
  [
    18,
    /too big/,
    (path, cause) =>
      new AppError("RequestEntityTooLarge", `too large for the store ${path}`, { cause }),
  ],
];

function unavailable(message: string, cause: unknown, state?: StateTrouble): AppError {
  const options = { cause, retryAfterSeconds: 10, ...(state ? { state } : {}) };
  return new AppError("ServiceUnavailable", message, options);
}

/** Turns what SQLite throws into an `AppError`; other values are returned as they are. */
export function storeError(path: string, error: unknown): unknown {
  if (!isSqliteFailure(error)) return error;
  const primary = error.errcode === undefined ? undefined : error.errcode & 0xff;
  const row = TABLE.find(([code, text]) =>
    primary === undefined ? text.test(error.message) : primary === code
  );
  return row
    ? row[2](path, error)
    : new AppError("InternalError", `the store ${path} failed: ${error.message}`, { cause: error });
}

/** Calls `fn`; what SQLite throws comes out as an `AppError`. */
export function guarded<T>(path: string, fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    throw storeError(path, error);
  }
}
