import type { Change } from "./sqlite_reader.ts";
import { SqliteWatch, type WatchRequest, type WatchSource } from "./sqlite_watch.ts";

/** Who watches what; hands committed changes to them. */
export class SqliteWatchHub {
  readonly #watches = new Map<string, Set<SqliteWatch>>();

  /** How many watches run. */
  get size(): number {
    let size = 0;
    for (const watches of this.#watches.values()) size += watches.size;
    return size;
  }

  /** Subscribes a watch. */
  open(request: WatchRequest, source: WatchSource): SqliteWatch {
    const watch = new SqliteWatch(request, source, (ended) => this.#remove(ended));
    const watches = this.#watches.get(watch.resource) ?? new Set();
    this.#watches.set(watch.resource, watches.add(watch));
    return watch;
  }

  /** Tells every watch what one transaction changed. Called right after its commit. */
  publish(changes: readonly Change[], version: number): void {
    for (const change of changes) {
      for (const watch of this.#watches.get(change.resource) ?? []) watch.push(change);
    }
    if (changes.length === 0) return;
    for (const watches of this.#watches.values()) {
      for (const watch of watches) watch.reached(version);
    }
  }

  /** Ends every watch. */
  close(): void {
    for (const watches of [...this.#watches.values()]) {
      for (const watch of [...watches]) watch.abort();
    }
  }

  #remove(watch: SqliteWatch): void {
    const watches = this.#watches.get(watch.resource);
    watches?.delete(watch);
    if (watches?.size === 0) this.#watches.delete(watch.resource);
  }
}
