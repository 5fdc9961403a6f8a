import type { DatabaseSync } from "node:sqlite";
import { AppError } from "../base/mod.ts";

/**
 * The migrations, oldest first; a database's `user_version` is how many it has seen. Never change
 * one that was released: add the next.
 *
 * `events` is an undo log: the row of version `rv` keeps the state *before* that change, with the
 * version `prev_rv` it had. The state after it is the `previous` of the row whose `prev_rv` is this
 * `rv`, or the current object. So a change writes its new state once, and any version since the
 * oldest kept event can be read back. UNIQUE(prev_rv) lets SQLite itself refuse two successors of
 * one state. Versions have no gaps: one event is one version.
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
   CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
   INSERT INTO counters VALUES ('rv', 0), ('seq', 0), ('floor', 0);
   CREATE TABLE objects (
     resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
     rv INTEGER NOT NULL UNIQUE, body TEXT NOT NULL,
     PRIMARY KEY (resource, namespace, name)) STRICT;
   CREATE TABLE events (
     rv INTEGER PRIMARY KEY, resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
     type TEXT NOT NULL, at INTEGER NOT NULL, prev_rv INTEGER UNIQUE, previous TEXT) STRICT;
   CREATE INDEX events_by_resource ON events (resource, rv);
   CREATE TABLE rows (
     space TEXT NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL, value TEXT NOT NULL,
     PRIMARY KEY (space, key)) STRICT;
   CREATE UNIQUE INDEX rows_by_seq ON rows (space, seq);`,
];

/** The schema version that this build writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/**
 * Sets the connection up and brings the schema to {@linkcode SCHEMA_VERSION}, each migration in a
 * transaction of its own.
 *
 * @throws {AppError} Unsupported when the database was written by a newer version
 */
export function prepareDatabase(db: DatabaseSync, path: string): void {
  // EXCLUSIVE: one process a store. Another one is refused, instead of numbering versions twice.
  db.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = OFF; PRAGMA cache_size = -1024; PRAGMA journal_size_limit = 8388608;
    PRAGMA wal_autocheckpoint = 500; PRAGMA temp_store = MEMORY;
    PRAGMA secure_delete = FAST;`);
  const version = Number(db.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (version > SCHEMA_VERSION) {
    throw new AppError(
      "Unsupported",
      `the store ${path} has schema version ${version}, this build of Skerry reads up to ` +
        `${SCHEMA_VERSION}: run the newer Skerry again, or give it another state folder`,
    );
  }
  for (let next = version; next < SCHEMA_VERSION; next++) {
    db.exec(`BEGIN IMMEDIATE; ${MIGRATIONS[next]} PRAGMA user_version = ${next + 1}; COMMIT;`);
  }
}

/**
 * What SQLite finds wrong with the file; `undefined` when all is well. Reads the whole file;
 * `quick` leaves out whether indexes agree with their tables.
 */
export function findDamage(db: DatabaseSync, depth: "quick" | "full"): string | undefined {
  const pragma = depth === "quick" ? "quick_check" : "integrity_check";
  const found = db.prepare(`PRAGMA ${pragma}(1)`).get()?.[pragma];
  return found === "ok" ? undefined : String(found);
}
