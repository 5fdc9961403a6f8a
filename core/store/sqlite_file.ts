import { DatabaseSync } from "node:sqlite";
import { AppError, type Bytes, type Clock, type Ms, stateTrouble } from "../base/mod.ts";
import { DamagedStoreError, guarded, storeError } from "./sqlite_errors.ts";
import { findDamage, prepareDatabase } from "./sqlite_schema.ts";

/** Files up to this size are checked at every open; a bigger one only when SQLite complains. */
const CHECK_UP_TO_BYTES = 32 * 1024 * 1024;
/** What SQLite keeps beside the file. */
const COMPANIONS = ["", "-wal", "-shm"];

/** Whether `path` stands for a database in memory. */
export function isMemory(path: string): boolean {
  return path === ":memory:";
}

/**
 * Opens or makes the database file (mode 0600), checks it and brings its schema up to date.
 *
 * @throws {AppError} ServiceUnavailable when it is in use or cannot be opened, Unsupported when a
 * newer build wrote it, InternalError (`DamagedStoreError`) when it is damaged
 */
export function openDatabase(path: string, busyTimeout: Ms, maxSize?: Bytes): DatabaseSync {
  const size = isMemory(path) ? 0 : ensureFile(path);
  const db = guarded(path, () => new DatabaseSync(path, { timeout: busyTimeout }));
  try {
    prepareDatabase(db, path);
    const damage = size > 0 && size <= CHECK_UP_TO_BYTES ? findDamage(db, "quick") : undefined;
    if (damage) throw new DamagedStoreError(path, damage);
    if (maxSize !== undefined) limitSize(db, maxSize);
    return db;
  } catch (error) {
    db.close();
    throw storeError(path, error);
  }
}

function limitSize(db: DatabaseSync, maxSize: Bytes): void {
  const pageSize = Number(db.prepare("PRAGMA page_size").get()?.["page_size"]);
  db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxSize / pageSize))}`);
}

/** Makes the file with its mode before SQLite does; returns its size in bytes. */
function ensureFile(path: string): number {
  try {
    using file = Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
    const { size, mode } = file.statSync();
    if (mode !== null && (mode & 0o077) !== 0) Deno.chmodSync(path, 0o600);
    return size;
  } catch (error) {
    // SQLite tries again and names the reason: a missing folder.
    if (error instanceof Deno.errors.NotFound) return 0;
    const state = stateTrouble(error);
    const advice = state ? ": check its folder and its permissions" : "";
    throw new AppError("ServiceUnavailable", `the store ${path} cannot be opened${advice}`, {
      cause: error,
      ...(state ? { state } : {}),
    });
  }
}

/** Which file this is; another one after a restore from a copy. */
export function fileIdentity(path: string): string {
  return isMemory(path) ? "memory" : String(Deno.statSync(path).ino);
}

/**
 * Moves a damaged store aside, so that the next open starts an empty one (with a new epoch) that a
 * resync can fill. Nothing is deleted. The store must not be open.
 *
 * @returns the new path of the file
 */
export function quarantineStore(path: string, clock: Clock): string {
  const stamp = new Date(clock.now()).toISOString().replace(/[:.]/g, "-");
  const target = `${path}.damaged-${stamp}`;
  for (const suffix of COMPANIONS) {
    try {
      Deno.renameSync(path + suffix, target + suffix);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return target;
}
