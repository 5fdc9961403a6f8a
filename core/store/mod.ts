/** The store room: Kubernetes objects with versions and watches, in SQLite or behind an API server. */
export { findObject } from "./find.ts";
export { deepEqual, deepFreeze } from "./json.ts";
export type * from "./local.ts";
export { openSqliteStore, SqliteStore, type SqliteStoreOptions } from "./sqlite.ts";
export { DamagedStoreError } from "./sqlite_errors.ts";
export { quarantineStore } from "./sqlite_file.ts";
export { BEST_EFFORT } from "./store.ts";
export type * from "./store.ts";
