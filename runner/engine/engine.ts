import { AppError } from "../../core/base/mod.ts";
import { cString, OutPointer, OutVec, takeError } from "./foreign.ts";
import type { WasmtimeLibrary, WasmtimeSymbols } from "./library.ts";
import type { EngineSettings } from "./settings.ts";

/** A compiled module that was loaded from a file. Dispose it when no instance of it is left. */
export interface LoadedModule extends Disposable {
  readonly pointer: Deno.PointerObject;
}

/**
 * A wasmtime engine: compiles modules and loads compiled ones. Bad settings abort the process
 * instead of throwing, so try settings with `probeEngine` first.
 */
export class Engine implements Disposable {
  readonly pointer: Deno.PointerObject;
  readonly symbols: WasmtimeSymbols;
  readonly settings: EngineSettings;
  #disposed = false;

  constructor(library: WasmtimeLibrary, settings: EngineSettings) {
    this.symbols = library.symbols;
    this.settings = settings;
    const config = configure(library.symbols, settings);
    const pointer = library.symbols.wasm_engine_new_with_config(config);
    if (pointer === null) {
      throw new AppError("Unsupported", "libwasmtime made no engine: use another library");
    }
    this.pointer = pointer;
  }

  /** Compiles a module to native code for this machine, in the form that {@linkcode load} takes.
   *
   * @throws {AppError} Invalid when `wasm` is no module or uses what is switched off
   */
  compile(wasm: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const { symbols } = this;
    using module = this.compileModule(wasm);
    const out = new OutVec();
    const error = symbols.wasmtime_module_serialize(module.pointer, out.buffer);
    if (error) throw new AppError("InternalError", takeError(symbols, error));
    const bytes = out.bytes();
    symbols.wasm_byte_vec_delete(out.buffer);
    return bytes;
  }

  /** Compiles a module in memory. @throws {AppError} Invalid as {@linkcode compile} */
  compileModule(wasm: Uint8Array<ArrayBuffer>): LoadedModule {
    const out = new OutPointer();
    const error = this.symbols.wasmtime_module_new(
      this.pointer,
      wasm,
      BigInt(wasm.length),
      out.buffer,
    );
    if (error) throw new AppError("Invalid", takeError(this.symbols, error));
    return this.#own(out.take());
  }

  /**
   * Maps a file that {@linkcode compile} made. The file is native code: only files of the runner's
   * own cache may be given here.
   *
   * @throws {AppError} Conflict when another version or other settings made it
   */
  load(path: string): LoadedModule {
    const out = new OutPointer();
    const error = this.symbols.wasmtime_module_deserialize_file(
      this.pointer,
      cString(path),
      out.buffer,
    );
    if (error) throw new AppError("Conflict", takeError(this.symbols, error));
    return this.#own(out.take());
  }

  #own(pointer: Deno.PointerValue): LoadedModule {
    if (pointer === null) throw new AppError("InternalError", "libwasmtime returned no module");
    let live = true;
    return {
      pointer,
      [Symbol.dispose]: () => {
        if (live) this.symbols.wasmtime_module_delete(pointer);
        live = false;
      },
    };
  }

  [Symbol.dispose](): void {
    if (!this.#disposed) this.symbols.wasm_engine_delete(this.pointer);
    this.#disposed = true;
  }
}

/** Makes the C configuration. What functions do not need stays off: it is attack surface. */
function configure(symbols: WasmtimeSymbols, settings: EngineSettings): Deno.PointerValue {
  const config = symbols.wasm_config_new();
  symbols.wasmtime_config_epoch_interruption_set(config, true);
  symbols.wasmtime_config_parallel_compilation_set(config, false);
  symbols.wasmtime_config_memory_init_cow_set(config, true);
  symbols.wasmtime_config_native_unwind_info_set(config, false);
  symbols.wasmtime_config_max_wasm_stack_set(config, BigInt(settings.maxStack));
  symbols.wasmtime_config_memory_reservation_set(config, BigInt(settings.maxMemory));
  symbols.wasmtime_config_memory_guard_size_set(config, 65536n);
  symbols.wasmtime_config_memory_reservation_for_growth_set(config, 0n);
  symbols.wasmtime_config_wasm_component_model_set?.(config, false);
  symbols.wasmtime_config_wasm_memory64_set(config, false);
  symbols.wasmtime_config_wasm_multi_memory_set(config, false);
  symbols.wasmtime_config_wasm_threads_set?.(config, false);
  symbols.wasmtime_config_wasm_function_references_set?.(config, false);
  symbols.wasmtime_config_wasm_gc_set?.(config, false);
  symbols.wasmtime_config_wasm_exceptions_set?.(config, false);
  symbols.wasmtime_config_gc_support_set?.(config, false);
  symbols.wasmtime_config_concurrency_support_set?.(config, false);
  if (settings.allocation === "pooling") configurePool(symbols, config, settings);
  return config;
}

function configurePool(
  symbols: WasmtimeSymbols,
  config: Deno.PointerValue,
  settings: EngineSettings,
): void {
  const pool = symbols.wasmtime_pooling_allocation_config_new();
  const { slots } = settings;
  symbols.wasmtime_pooling_allocation_config_total_core_instances_set(pool, slots);
  symbols.wasmtime_pooling_allocation_config_total_memories_set(pool, slots);
  symbols.wasmtime_pooling_allocation_config_total_tables_set(pool, slots * 2);
  symbols.wasmtime_pooling_allocation_config_max_tables_per_module_set(pool, 4);
  symbols.wasmtime_pooling_allocation_config_total_stacks_set(pool, 1);
  symbols.wasmtime_pooling_allocation_config_max_unused_warm_slots_set(pool, settings.warmSlots);
  symbols.wasmtime_pooling_allocation_config_max_memory_size_set(pool, BigInt(settings.maxMemory));
  symbols.wasmtime_pooling_allocation_config_table_elements_set(pool, 20_000n);
  symbols.wasmtime_pooling_allocation_config_max_core_instance_size_set(pool, 1_048_576n);
  symbols.wasmtime_pooling_allocation_config_linear_memory_keep_resident_set(
    pool,
    BigInt(settings.keepResident),
  );
  symbols.wasmtime_pooling_allocation_config_table_keep_resident_set(pool, 4096n);
  symbols.wasmtime_pooling_allocation_strategy_set(config, pool);
  symbols.wasmtime_pooling_allocation_config_delete(pool);
}
