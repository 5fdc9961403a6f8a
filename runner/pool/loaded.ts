import { AppError, type Bytes } from "../../core/base/mod.ts";
import type { CompiledModule, ModuleCache } from "../cache/mod.ts";
import type { Abi, Engine, Invoker, LoadedModule, Prepared } from "../engine/mod.ts";

/** A compiled module in memory. */
export interface LoadedEntry {
  readonly compiled: CompiledModule;
  readonly module: LoadedModule;
  readonly prepared: Prepared;
  /** Calls that use it now and may be interrupted by others. */
  users: number;
  /** Out of the table; freed when the last of its users has gone. */
  dropped: boolean;
  /** Grows with every use. */
  lastUse: number;
}

/** Options of {@linkcode LoadedModules}. */
export interface LoadedModulesOptions {
  readonly cache: ModuleCache;
  readonly engine: Engine;
  readonly invoker: Invoker;
  /** Most bytes of compiled modules in memory; the least recently used go first. */
  readonly budget: Bytes;
}

/** A loaded module in use; dispose it when the call has ended. */
export interface Lease extends Disposable {
  readonly entry: LoadedEntry;
}

/**
 * Compiled modules in memory, loaded at their first call. A load takes a fraction of a millisecond,
 * so a node can have many more functions than fit into its memory.
 */
export class LoadedModules implements Disposable {
  readonly #options: LoadedModulesOptions;
  readonly #entries = new Map<string, LoadedEntry>();
  readonly #loading = new Map<string, Promise<LoadedEntry>>();
  #bytes = 0;
  #uses = 0;

  constructor(options: LoadedModulesOptions) {
    this.#options = options;
  }

  /** Compiled modules in memory. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Notes one more use and says whether `entry` may still be used. Enough for a call that ends
   * before anything else can run; any other needs a {@linkcode lease}.
   */
  touch(entry: LoadedEntry): boolean {
    if (entry.dropped) return false;
    entry.lastUse = ++this.#uses;
    return true;
  }

  /** Keeps the module from being freed. `undefined` when it has been dropped. */
  lease(entry: LoadedEntry): Lease | undefined {
    if (!this.touch(entry)) return undefined;
    entry.users++;
    let live = true;
    return {
      entry,
      [Symbol.dispose]: () => {
        if (!live) return;
        live = false;
        entry.users--;
        if (entry.dropped && entry.users === 0) free(entry);
      },
    };
  }

  /** The module, loaded from its file when need be. @throws {AppError} Conflict when the file is damaged */
  async acquire(compiled: CompiledModule, abi: Abi): Promise<Lease> {
    const key = `${compiled.digest} ${abi}`;
    for (;;) {
      const entry = this.#entries.get(key);
      const lease = entry && this.lease(entry);
      if (lease) return lease;
      let loading = this.#loading.get(key);
      if (!loading) {
        loading = this.#load(key, compiled, abi).finally(() => this.#loading.delete(key));
        this.#loading.set(key, loading);
      }
      await loading;
    }
  }

  async #load(key: string, compiled: CompiledModule, abi: Abi): Promise<LoadedEntry> {
    const { cache, engine, invoker, budget } = this.#options;
    if (!await cache.verify(compiled)) {
      throw new AppError("Conflict", `the compiled module ${compiled.digest} was damaged on disk`);
    }
    const module = engine.load(cache.compiledPath(compiled.digest));
    const prepared = invoker.prepare(module, abi);
    const lastUse = ++this.#uses;
    const entry = { compiled, module, prepared, users: 0, dropped: false, lastUse };
    this.#entries.set(key, entry);
    this.#bytes += compiled.size;
    while (this.#bytes > budget && this.#entries.size > 1) this.#dropOldest();
    return entry;
  }

  #dropOldest(): void {
    let oldest: [string, LoadedEntry] | undefined;
    for (const pair of this.#entries) {
      if (!oldest || pair[1].lastUse < oldest[1].lastUse) oldest = pair;
    }
    if (oldest) this.#drop(...oldest);
  }

  #drop(key: string, entry: LoadedEntry): void {
    this.#entries.delete(key);
    this.#bytes -= entry.compiled.size;
    entry.dropped = true;
    if (entry.users === 0) free(entry);
  }

  [Symbol.dispose](): void {
    for (const [key, entry] of this.#entries) this.#drop(key, entry);
  }
}

function free(entry: LoadedEntry): void {
  entry.prepared[Symbol.dispose]();
  entry.module[Symbol.dispose]();
}
