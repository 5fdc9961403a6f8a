import type { Row } from "./local.ts";
import { guarded } from "./sqlite_errors.ts";
import type { Statements } from "./sqlite_statements.ts";
import type { Counters } from "./sqlite_tx.ts";

/** The side tables' half of a transaction, and what both halves share: its state and its writes. */
export class SqliteRows {
  /** This transaction's own copy; the store takes it over after the commit. */
  readonly counters: Counters;
  readonly #path: string;
  readonly #sql: Statements;
  #open = true;
  #failure: { readonly error: unknown } | undefined;
  #dirty = false;

  constructor(path: string, sql: Statements, counters: Counters) {
    this.#path = path;
    this.#sql = sql;
    this.counters = counters;
  }

  /** The first error of SQLite itself; a transaction that has one must not be committed. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** Whether anything was written. */
  get dirty(): boolean {
    return this.#dirty;
  }

  /** Makes every further call a `TypeError`. */
  close(): void {
    this.#open = false;
  }

  /** @throws {TypeError} when the transaction has ended */
  protected assertOpen(): void {
    if (!this.#open) {
      throw new TypeError("Cannot use a transaction after its function has returned");
    }
  }

  /** Runs `fn`, which writes; an error inside spoils the transaction. */
  protected writing<T>(fn: () => T): T {
    this.assertOpen();
    // SQLite may have rolled back by itself; what is written now would be committed on its own.
    if (this.#failure) throw this.#failure.error;
    this.#dirty = true;
    try {
      return guarded(this.#path, fn);
    } catch (error) {
      this.#failure ??= { error };
      throw error;
    }
  }

  row(space: string, key: string): Row | undefined {
    this.assertOpen();
    const found = guarded(this.#path, () => this.#sql.row.get(space, key));
    return found && { key, seq: Number(found["seq"]), value: String(found["value"]) };
  }

  rows(space: string, options: { afterSeq?: number; limit?: number } = {}): Row[] {
    this.assertOpen();
    const { afterSeq = 0, limit = -1 } = options;
    const found = guarded(this.#path, () => this.#sql.rows.all(space, afterSeq, limit));
    return found.map(({ key, seq, value }) => ({
      key: String(key),
      seq: Number(seq),
      value: String(value),
    }));
  }

  putRow(space: string, key: string, value: string): Row {
    const seq = this.counters.seq + 1;
    this.writing(() => this.#sql.putRow.run(space, key, seq, value));
    this.counters.seq = seq;
    return { key, seq, value };
  }

  deleteRow(space: string, key: string, seq?: number): boolean {
    const { changes } = this.writing(() =>
      seq === undefined
        ? this.#sql.deleteRow.run(space, key)
        : this.#sql.deleteRowAt.run(space, key, seq)
    );
    return Number(changes) > 0;
  }
}
