import type { DatabaseSync } from "node:sqlite";
import type { Logger } from "../base/mod.ts";
import { SEALED, SEALED_RESOURCES, Sealer } from "./seal.ts";
import { makeKey, readKey, unusable } from "./seal_key.ts";

/** Rows that are sealed in one transaction, so that none is long. */
const SLICE = 100;
/** Where the identity of the key stands in the table `meta`, and that all is sealed by it. */
const META = { key: "seal", done: "sealed" } as const;

const RESOURCES = [...SEALED_RESOURCES].map((name) => `'${name}'`).join(", ");
const PLAIN = {
  objects: `SELECT rv AS row, rv, body AS text FROM objects
    WHERE resource IN (${RESOURCES}) AND body NOT LIKE '${SEALED}%' LIMIT ${SLICE}`,
  events: `SELECT rv AS row, prev_rv AS rv, previous AS text FROM events
    WHERE resource IN (${RESOURCES}) AND previous NOT LIKE '${SEALED}%' LIMIT ${SLICE}`,
};
const SEAL = {
  objects: "UPDATE objects SET body = ? WHERE rv = ?",
  events: "UPDATE events SET previous = ? WHERE rv = ?",
};

/**
 * The sealer of a store, by the key in `keyFile`, which is made with the store. What was written
 * before in clear is sealed now, and the file is written anew so that no trace of it is left.
 *
 * @throws {AppError} ServiceUnavailable when the store was sealed by a key that is not there
 */
export function openSeal(
  db: DatabaseSync,
  options: { readonly path: string; readonly keyFile: string | undefined; readonly log: Logger },
): Sealer | undefined {
  const { path, keyFile, log } = options;
  const meta = (key: string): unknown =>
    db.prepare("SELECT value FROM meta WHERE key = ?").get(key)?.["value"];
  const known = meta(META.key);
  if (keyFile === undefined) {
    if (known === undefined) return undefined;
    throw unusable(`the store ${path} holds sealed Secrets and was opened without their key`);
  }
  const advice = `put the key back, or move ${path} with its -wal and -shm files elsewhere to ` +
    "start with an empty one";
  const found = readKey(keyFile);
  if (!found && known !== undefined) {
    throw unusable(`the key ${keyFile} of the Secrets in the store ${path} is gone: ${advice}`);
  }
  const sealer = new Sealer(found ?? makeKey(keyFile));
  if (known !== undefined && known !== sealer.id) {
    throw unusable(`${keyFile} is not the key of the Secrets in the store ${path}: ${advice}`);
  }
  const setMeta = db.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)");
  if (known === undefined) setMeta.run(META.key, sealer.id);
  if (meta(META.done) !== undefined) return sealer;
  const sealed = sealTable(db, "objects", sealer) + sealTable(db, "events", sealer);
  // Also after a crash between the two.
  if (sealed > 0 || known !== undefined) {
    // Freed pages and the write-ahead log still have the texts.
    db.exec("PRAGMA temp_store = FILE; VACUUM; PRAGMA temp_store = MEMORY");
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    log.info("the Secrets of a store were sealed", { path, rows: sealed });
  }
  setMeta.run(META.done, "all");
  return sealer;
}

/** Seals a table slice by slice. Returns how many rows that were. */
function sealTable(db: DatabaseSync, table: "objects" | "events", sealer: Sealer): number {
  const plain = db.prepare(PLAIN[table]);
  const update = db.prepare(SEAL[table]);
  let count = 0;
  for (let rows = plain.all(); rows.length > 0; rows = plain.all()) {
    db.exec("BEGIN IMMEDIATE");
    for (const { row, rv, text } of rows) {
      update.run(sealer.seal(String(text), Number(rv)), Number(row));
    }
    db.exec("COMMIT");
    count += rows.length;
  }
  return count;
}
