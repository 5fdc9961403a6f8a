import type { DatabaseSync } from "node:sqlite";
import {
  AppError,
  type Bytes,
  type Clock,
  type Logger,
  minutes,
  type Ms,
  type Random,
  seconds,
  silentLogger,
  systemRandom,
} from "../base/mod.ts";
import { groupResource, type KubeObject, type ObjectRef, type ResourceDef } from "../api/mod.ts";
import type { LocalStore, TransactOptions, Tx } from "./local.ts";
import { expired, notFound } from "./messages.ts";
import { compileSelection } from "./selection.ts";
import { storageNamespace } from "./semantics.ts";
import { DamagedStoreError, guarded, storeError } from "./sqlite_errors.ts";
import { fileIdentity, openDatabase } from "./sqlite_file.ts";
import { listObjects } from "./sqlite_list.ts";
import { openSeal } from "./sqlite_seal.ts";
import { findDamage } from "./sqlite_schema.ts";
import { SqliteReader } from "./sqlite_reader.ts";
import { prepareStatements, type Statements } from "./sqlite_statements.ts";
import { type Counters, SqliteTx } from "./sqlite_tx.ts";
import type { SnapshotPages, WatchSource } from "./sqlite_watch.ts";
import { SqliteWatchHub } from "./sqlite_watch_hub.ts";
import type {
  DeleteOptions,
  ListOptions,
  ListResult,
  UpdateOptions,
  Watch,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "./store.ts";

/** Options of {@linkcode openSqliteStore}. */
export interface SqliteStoreOptions {
  /** The database file, in a folder that exists; `:memory:` for a store that dies with the process. */
  readonly path: string;
  readonly clock: Clock;
  /** Chooses generated names. @default {systemRandom} */
  readonly random?: Random;
  /** Makes uids and the epoch. @default {random UUIDs} */
  readonly uid?: () => string;
  /** Changes that a watch or a continue token can go back. @default {10000} */
  readonly keepEvents?: number;
  /** Changes younger than this are kept too, up to four times `keepEvents`. @default {5 min} */
  readonly keepFor?: Ms;
  /**
   * Whether creating needs its namespace to exist and not to be terminating. On in the hub, off in
   * an agent's replica. @default {false}
   */
  readonly checkNamespaces?: boolean;
  /** How long to wait for another process to let go of the file. @default {5 s} */
  readonly busyTimeout?: Ms;
  /** Writes that would grow the file beyond this fail as if the disk were full. @default {no limit} */
  readonly maxSize?: Bytes;
  /** Give the history a new identity, after the file was restored from a copy. @default {false} */
  readonly newEpoch?: boolean;
  /**
   * The file of the key that seals Secrets, made with the store; whoever copies the store copies it
   * too, and apart from it. @default {Secrets are stored in clear}
   */
  readonly keyFile?: string;
  readonly log?: Logger;
}

/** Events that are removed together; small, so that no commit waits for a long compaction. */
const COMPACTION_SLICE = 256;
const DEFAULT_KEEP = 10_000;

/**
 * Opens (or makes) a store in SQLite: WAL, `synchronous=FULL`, one process at a time. What a write
 * has answered survives a kill and a power cut.
 *
 * @throws {AppError} ServiceUnavailable when the file is in use or cannot be opened, or its key is not
 * there, Unsupported when a newer build wrote it, InternalError (`DamagedStoreError`) when it is damaged
 */
export function openSqliteStore(options: SqliteStoreOptions): SqliteStore {
  const db = openDatabase(options.path, options.busyTimeout ?? seconds(5), options.maxSize);
  try {
    return new SqliteStore(db, options);
  } catch (error) {
    db.close();
    throw storeError(options.path, error);
  }
}

/** A `LocalStore` in SQLite. Get one by {@linkcode openSqliteStore}. */
export class SqliteStore implements LocalStore {
  readonly #db: DatabaseSync;
  readonly #options: SqliteStoreOptions;
  readonly #sql: Statements;
  readonly #reader: SqliteReader;
  readonly #hub = new SqliteWatchHub();
  readonly #epoch: string;
  readonly #source: WatchSource;
  readonly #log: Logger;
  #counters: Counters;
  #busy = false;
  #closed = false;

  constructor(db: DatabaseSync, options: SqliteStoreOptions) {
    this.#db = db;
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    const { path, keyFile } = options;
    const sealer = openSeal(db, { path, keyFile, log: this.#log });
    this.#sql = prepareStatements(db);
    this.#reader = new SqliteReader(path, this.#sql, sealer);
    this.#counters = this.#loadCounters();
    this.#epoch = this.#loadEpoch();
    this.#source = {
      version: () => this.#counters.rv,
      snapshot: (resource, namespace, version) => this.#snapshot(resource, namespace, version),
      history: (resource, after, limit) => {
        this.#assertIdle();
        this.#checkVersion(`watch of ${groupResource(resource)}`, after);
        return this.#reader.history(resource, after, limit);
      },
    };
  }

  /** The newest version, and the oldest one that a watch can start from. */
  get versions(): { readonly newest: number; readonly oldest: number } {
    return { newest: this.#counters.rv, oldest: this.#counters.floor };
  }

  /** How many watches run. */
  get watches(): number {
    return this.#hub.size;
  }

  /**
   * Checks the whole file, indexes too; blocks for as long as reading it takes.
   *
   * @throws {AppError} InternalError (`DamagedStoreError`) with what is wrong
   */
  checkIntegrity(): void {
    this.#assertIdle();
    const { path } = this.#options;
    const damage = guarded(path, () => findDamage(this.#db, "full"));
    if (damage) throw new DamagedStoreError(path, damage);
  }

  // deno-lint-ignore require-await -- Store's methods are asynchronous, SQLite is not
  async get(ref: ObjectRef): Promise<KubeObject> {
    this.#assertIdle();
    const { resource, name } = ref;
    const namespace = storageNamespace(resource, ref.namespace);
    const found = this.#reader.get(groupResource(resource), namespace, name);
    if (!found) throw notFound(resource, name);
    return found;
  }

  // deno-lint-ignore require-await -- see get
  async list(resource: ResourceDef, options: ListOptions = {}): Promise<ListResult> {
    this.#assertIdle();
    return listObjects(resource, options, {
      reader: this.#reader,
      epoch: this.#epoch,
      version: this.#counters.rv,
      oldest: this.#counters.floor,
    });
  }

  // deno-lint-ignore require-await -- see get
  async create(
    resource: ResourceDef,
    object: KubeObject,
    options?: WriteOptions,
  ): Promise<KubeObject> {
    return this.transact((tx) => tx.create(resource, object, options), options);
  }

  // deno-lint-ignore require-await -- see get
  async update(
    ref: ObjectRef,
    change: (current: KubeObject) => KubeObject,
    options?: UpdateOptions,
  ): Promise<KubeObject> {
    return this.transact((tx) => tx.update(ref, change, options), options);
  }

  // deno-lint-ignore require-await -- see get
  async delete(ref: ObjectRef, options?: DeleteOptions): Promise<KubeObject> {
    return this.transact((tx) => tx.delete(ref, options), options);
  }

  // deno-lint-ignore require-await -- see get
  async watch(resource: ResourceDef, options: WatchOptions = {}): Promise<Watch> {
    this.#assertIdle();
    const { namespace, resourceVersion, buffer = 1000 } = options;
    const matches = compileSelection(options);
    const after = resourceVersion === undefined ? undefined : parseVersion(resourceVersion);
    if (after !== undefined) this.#checkVersion(`watch of ${groupResource(resource)}`, after);
    return this.#hub.open({ resource, namespace, matches, after, buffer }, this.#source);
  }

  // deno-lint-ignore require-await -- see get
  async epoch(): Promise<string> {
    return this.#epoch;
  }

  transact<T>(fn: (tx: Tx) => T, options: TransactOptions = {}): T {
    if (options.durable ?? true) return this.#transact(fn);
    this.#assertIdle();
    this.#db.exec("PRAGMA synchronous = NORMAL");
    try {
      return this.#transact(fn);
    } finally {
      if (!this.#closed) this.#db.exec("PRAGMA synchronous = FULL");
    }
  }

  #transact<T>(fn: (tx: Tx) => T): T {
    this.#assertIdle();
    const { path } = this.#options;
    guarded(path, () => this.#sql.begin.run());
    const tx = new SqliteTx({
      path,
      sql: this.#sql,
      reader: this.#reader,
      clock: this.#options.clock,
      random: this.#options.random ?? systemRandom,
      uid: this.#options.uid ?? (() => crypto.randomUUID()),
      checkNamespaces: this.#options.checkNamespaces ?? false,
    }, this.#counters);
    let result: T;
    this.#busy = true;
    try {
      result = fn(tx);
      this.#commit(tx, result);
    } catch (error) {
      this.#rollback();
      if (tx.failure) this.#reclaim();
      throw error;
    } finally {
      tx.close();
      this.#busy = false;
    }
    this.#counters = tx.counters;
    this.#hub.publish(tx.changes, tx.counters.rv);
    return result;
  }

  /** Ends every watch and closes the file. Harmless when called again. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#hub.close();
    this.#db.close();
  }

  #commit(tx: SqliteTx, result: unknown): void {
    if (result instanceof Promise) {
      result.catch(() => {});
      throw new TypeError("Cannot commit as the transaction's function returned a promise");
    }
    if (tx.failure) throw tx.failure.error;
    if (tx.dirty) {
      const { keepEvents = DEFAULT_KEEP, keepFor = minutes(5) } = this.#options;
      tx.compact(keepEvents, keepFor, COMPACTION_SLICE);
      guarded(this.#options.path, () => this.#sql.setCounters.run({ ...tx.counters }));
    }
    guarded(this.#options.path, () => this.#sql.commit.run());
  }

  #rollback(): void {
    // A full disk makes SQLite roll back by itself.
    if (!this.#db.isTransaction) return;
    try {
      this.#sql.rollback.run();
    } catch (error) {
      this.#log.error("a transaction could not be rolled back", { error });
    }
  }

  /** Gives the space of a grown log file back after a failed write, so that a full disk is less full. */
  #reclaim(): void {
    try {
      this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (error) {
      this.#log.warn("the store's log could not be checkpointed", { error });
    }
  }

  #assertIdle(): void {
    if (this.#closed) throw new AppError("ServiceUnavailable", "the store has been closed");
    if (this.#busy) {
      throw new TypeError("Cannot use the store inside its own transaction: use the transaction");
    }
  }

  /** @throws {AppError} Expired when the history does not reach from `version` to now */
  #checkVersion(what: string, version: number): void {
    const { rv, floor } = this.#counters;
    if (version < floor || version > rv) throw expired(what, version, floor);
  }

  #snapshot(
    resource: ResourceDef,
    namespace: string | undefined,
    version: number,
  ): SnapshotPages {
    let after: { namespace: string; name: string } | undefined;
    return (limit) => {
      this.#assertIdle();
      this.#checkVersion(`watch of ${groupResource(resource)}`, version);
      const objects = this.#reader.page({
        resource: groupResource(resource),
        namespace,
        after,
        limit,
        version: version === this.#counters.rv ? undefined : version,
      });
      const last = objects.at(-1)?.metadata;
      if (last) after = { namespace: last.namespace ?? "", name: last.name };
      return objects.map((object): WatchEvent => ({
        type: "ADDED",
        object,
        resourceVersion: object.metadata.resourceVersion ?? "",
      }));
    };
  }

  #loadCounters(): Counters {
    const counters: Counters = { rv: 0, seq: 0, floor: 0 };
    for (const { name, value } of this.#sql.counters.all()) {
      Object.assign(counters, { [String(name)]: Number(value) });
    }
    return counters;
  }

  /** The epoch of this file; a new one when it is another file than at the last open. */
  #loadEpoch(): string {
    const { path, newEpoch = false, uid = () => crypto.randomUUID() } = this.#options;
    const identity = fileIdentity(path);
    const known = this.#sql.meta.get("epoch")?.["value"];
    const same = this.#sql.meta.get("file")?.["value"] === identity;
    if (known !== undefined && same && !newEpoch) return String(known);
    const epoch = uid();
    this.#sql.begin.run();
    this.#sql.setMeta.run("epoch", epoch);
    this.#sql.setMeta.run("file", identity);
    this.#sql.commit.run();
    if (known !== undefined) this.#log.warn("the store was restored: its epoch is new", { path });
    return epoch;
  }
}

/** @throws {AppError} BadRequest */
function parseVersion(text: string): number {
  const version = Number(text);
  if (/^\d{1,15}$/.test(text) && Number.isSafeInteger(version)) return version;
  throw new AppError("BadRequest", `"${text.slice(0, 40)}" is not a resourceVersion of this store`);
}
