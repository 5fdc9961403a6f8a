import type { DatabaseSync, StatementSync } from "node:sqlite";

const NOW = "FROM objects WHERE resource = :resource";
/** The state at a version: what has not changed since, and what the first change since replaced. */
const THEN = `FROM (
  SELECT namespace, name, rv, body FROM objects WHERE resource = :resource AND rv <= :version
  UNION ALL
  SELECT namespace, name, prev_rv AS rv, previous AS body FROM events
  WHERE resource = :resource AND rv > :version AND prev_rv <= :version) WHERE true`;
// A name is never empty, so ("", "") is before all items, also of cluster-scoped resources.
const ALL = "AND (namespace, name) > (:afterNamespace, :afterName)";
const WITHIN = "AND namespace = :namespace AND name > :afterName";
const ITEMS = "SELECT rv, body";
const COUNT = "SELECT count(*) AS count";
const PAGE = "ORDER BY namespace, name LIMIT :limit";

const SQL = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  rollback: "ROLLBACK",
  counters: "SELECT name, value FROM counters",
  setCounters: `UPDATE counters SET value =
    CASE name WHEN 'rv' THEN :rv WHEN 'seq' THEN :seq ELSE :floor END`,
  meta: "SELECT value FROM meta WHERE key = ?",
  setMeta: "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
  get: "SELECT rv, body FROM objects WHERE resource = ? AND namespace = ? AND name = ?",
  insert: "INSERT INTO objects VALUES (?, ?, ?, ?, ?)",
  replace: "UPDATE objects SET rv = ?, body = ? WHERE rv = ?",
  remove: "DELETE FROM objects WHERE rv = ?",
  logCreated: "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, NULL, NULL)",
  logChanged: "INSERT INTO events SELECT ?, ?, ?, ?, ?, ?, rv, body FROM objects WHERE rv = ?",
  eventAt: "SELECT at FROM events WHERE rv = ?",
  compact: "DELETE FROM events WHERE rv <= ?",
  // The states before and after each change; see sqlite_schema.ts for where the latter stands.
  history: `SELECT e.rv, e.type, e.prev_rv AS prevRv, e.previous, e.namespace,
      COALESCE(n.previous, o.body) AS body
    FROM events e LEFT JOIN events n ON n.prev_rv = e.rv LEFT JOIN objects o ON o.rv = e.rv
    WHERE e.resource = ? AND e.rv > ? ORDER BY e.rv LIMIT ?`,
  list: `${ITEMS} ${NOW} ${ALL} ${PAGE}`,
  listWithin: `${ITEMS} ${NOW} ${WITHIN} ${PAGE}`,
  listAt: `${ITEMS} ${THEN} ${ALL} ${PAGE}`,
  listWithinAt: `${ITEMS} ${THEN} ${WITHIN} ${PAGE}`,
  count: `${COUNT} ${NOW} ${ALL}`,
  countWithin: `${COUNT} ${NOW} ${WITHIN}`,
  countAt: `${COUNT} ${THEN} ${ALL}`,
  countWithinAt: `${COUNT} ${THEN} ${WITHIN}`,
  row: "SELECT seq, value FROM rows WHERE space = ? AND key = ?",
  rows: "SELECT key, seq, value FROM rows WHERE space = ? AND seq > ? ORDER BY seq LIMIT ?",
  putRow: `INSERT INTO rows VALUES (?, ?, ?, ?)
    ON CONFLICT (space, key) DO UPDATE SET seq = excluded.seq, value = excluded.value`,
  deleteRow: "DELETE FROM rows WHERE space = ? AND key = ?",
  deleteRowAt: "DELETE FROM rows WHERE space = ? AND key = ? AND seq = ?",
} as const;

/** The prepared statements of a store. */
export type Statements = { readonly [K in keyof typeof SQL]: StatementSync };

/** Prepares every statement once; the schema must be up to date. */
export function prepareStatements(db: DatabaseSync): Statements {
  const entries = Object.entries(SQL).map(([name, sql]) => [name, db.prepare(sql)]);
  return Object.fromEntries(entries) as Statements;
}
