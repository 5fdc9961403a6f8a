import { AppError, type Bytes } from "../../core/base/mod.ts";
import type { CompiledModule, ModuleCache } from "../cache/mod.ts";
import type { Abi, Engine, Invoker, LoadedModule, Prepared } from "../engine/mod.ts";

interface Entry {
  readonly compiled: CompiledModule;
  readonly module: LoadedModule;
  readonly prepared: Prepared;
  /** Calls that use it now. */
  users: number;
  /** Dropped from the table; to be freed when the last call has ended. */
  dropped: boolean;
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
  readonly prepared: Prepared;
}

/**
 * Compiled modules in memory, loaded at their first call. A load takes a fraction of a millisecond,
 * so a node can have many more functions than fit into its memory.
 */
export class LoadedModules implements Disposable {
  readonly #options: LoadedModulesOptions;
  /** In order of last use. */
  readonly #entries = new Map<string, Entry>();
  readonly #loading = new Map<string, Promise<void>>();
  #bytes = 0;

  constructor(options: LoadedModulesOptions) {
    this.#options = options;
  }

  /** Compiled modules in memory. */
  get size(): number {
    return this.#entries.size;
  }

  /** The module when it is in memory. */
  tryAcquire(digest: string, abi: Abi): Lease | undefined {
    const key = `${digest} ${abi}`;
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.users++;
    let live = true;
    return {
      prepared: entry.prepared,
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
      const lease = this.tryAcquire(compiled.digest, abi);
      if (lease) return lease;
      let loading = this.#loading.get(key);
      if (!loading) {
        loading = this.#load(key, compiled, abi).finally(() => this.#loading.delete(key));
        this.#loading.set(key, loading);
      }
      await loading;
    }
  }

  async #load(key: string, compiled: CompiledModule, abi: Abi): Promise<void> {
    const { cache, engine, invoker } = this.#options;
    if (!await cache.verify(compiled)) {
      throw new AppError("Conflict", `the compiled module ${compiled.digest} was damaged on disk`);
    }
    const module = engine.load(cache.compiledPath(compiled.digest));
    const prepared = invoker.prepare(module, abi);
    this.#entries.set(key, { compiled, module, prepared, users: 0, dropped: false });
    this.#bytes += compiled.size;
    for (const [old, entry] of this.#entries) {
      if (this.#bytes <= this.#options.budget || old === key) break;
      this.#drop(old, entry);
    }
  }

  #drop(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= entry.compiled.size;
    entry.dropped = true;
    if (entry.users === 0) free(entry);
  }

  [Symbol.dispose](): void {
    for (const [key, entry] of this.#entries) this.#drop(key, entry);
  }
}

function free(entry: Entry): void {
  entry.prepared[Symbol.dispose]();
  entry.module[Symbol.dispose]();
}
