import { AppError, errorText } from "../../core/base/mod.ts";

/**
 * The functions of libwasmtime's C API that the runner calls, in the names of its headers.
 * `buffer` stands for memory of ours (out-parameters too), `pointer` for memory of the library.
 * Types are `u64`-safe on 64-bit machines only; Deno's FFI exists on no others.
 */
const SYMBOLS = {
  wasm_config_new: { parameters: [], result: "pointer" },
  wasmtime_config_epoch_interruption_set: { parameters: ["pointer", "bool"], result: "void" },
  wasmtime_config_parallel_compilation_set: { parameters: ["pointer", "bool"], result: "void" },
  wasmtime_config_memory_init_cow_set: { parameters: ["pointer", "bool"], result: "void" },
  wasmtime_config_native_unwind_info_set: { parameters: ["pointer", "bool"], result: "void" },
  wasmtime_config_max_wasm_stack_set: { parameters: ["pointer", "usize"], result: "void" },
  wasmtime_config_memory_reservation_set: { parameters: ["pointer", "u64"], result: "void" },
  wasmtime_config_memory_guard_size_set: { parameters: ["pointer", "u64"], result: "void" },
  wasmtime_config_memory_reservation_for_growth_set: {
    parameters: ["pointer", "u64"],
    result: "void",
  },
  wasmtime_config_wasm_memory64_set: { parameters: ["pointer", "bool"], result: "void" },
  wasmtime_config_wasm_multi_memory_set: { parameters: ["pointer", "bool"], result: "void" },
  // A library built without the feature lacks the function, and then the feature is off anyway.
  wasmtime_config_wasm_component_model_set: {
    parameters: ["pointer", "bool"],
    result: "void",
    optional: true,
  },
  wasmtime_config_wasm_threads_set: {
    parameters: ["pointer", "bool"],
    result: "void",
    optional: true,
  },
  wasmtime_config_wasm_gc_set: { parameters: ["pointer", "bool"], result: "void", optional: true },
  wasmtime_config_wasm_function_references_set: {
    parameters: ["pointer", "bool"],
    result: "void",
    optional: true,
  },
  wasmtime_config_gc_support_set: {
    parameters: ["pointer", "bool"],
    result: "void",
    optional: true,
  },
  wasmtime_config_wasm_exceptions_set: {
    parameters: ["pointer", "bool"],
    result: "void",
    optional: true,
  },
  wasmtime_config_concurrency_support_set: {
    parameters: ["pointer", "bool"],
    result: "void",
    optional: true,
  },
  wasmtime_pooling_allocation_config_new: { parameters: [], result: "pointer" },
  wasmtime_pooling_allocation_config_delete: { parameters: ["pointer"], result: "void" },
  wasmtime_pooling_allocation_config_total_core_instances_set: {
    parameters: ["pointer", "u32"],
    result: "void",
  },
  wasmtime_pooling_allocation_config_total_memories_set: {
    parameters: ["pointer", "u32"],
    result: "void",
  },
  wasmtime_pooling_allocation_config_total_tables_set: {
    parameters: ["pointer", "u32"],
    result: "void",
  },
  wasmtime_pooling_allocation_config_max_tables_per_module_set: {
    parameters: ["pointer", "u32"],
    result: "void",
  },
  wasmtime_pooling_allocation_config_max_unused_warm_slots_set: {
    parameters: ["pointer", "u32"],
    result: "void",
  },
  wasmtime_pooling_allocation_config_total_stacks_set: {
    parameters: ["pointer", "u32"],
    result: "void",
  },
  wasmtime_pooling_allocation_config_max_memory_size_set: {
    parameters: ["pointer", "usize"],
    result: "void",
  },
  wasmtime_pooling_allocation_config_table_elements_set: {
    parameters: ["pointer", "usize"],
    result: "void",
  },
  wasmtime_pooling_allocation_config_max_core_instance_size_set: {
    parameters: ["pointer", "usize"],
    result: "void",
  },
  wasmtime_pooling_allocation_config_linear_memory_keep_resident_set: {
    parameters: ["pointer", "usize"],
    result: "void",
  },
  wasmtime_pooling_allocation_config_table_keep_resident_set: {
    parameters: ["pointer", "usize"],
    result: "void",
  },
  wasmtime_pooling_allocation_strategy_set: { parameters: ["pointer", "pointer"], result: "void" },
  wasm_engine_new_with_config: { parameters: ["pointer"], result: "pointer" },
  wasm_engine_delete: { parameters: ["pointer"], result: "void" },
  wasmtime_engine_increment_epoch: { parameters: ["pointer"], result: "void" },
  wasmtime_module_new: { parameters: ["pointer", "buffer", "usize", "buffer"], result: "pointer" },
  wasmtime_module_serialize: { parameters: ["pointer", "buffer"], result: "pointer" },
  wasmtime_module_deserialize_file: {
    parameters: ["pointer", "buffer", "buffer"],
    result: "pointer",
  },
  wasmtime_module_delete: { parameters: ["pointer"], result: "void" },
  wasmtime_module_imports: { parameters: ["pointer", "buffer"], result: "void" },
  wasmtime_module_exports: { parameters: ["pointer", "buffer"], result: "void" },
  wasmtime_wat2wasm: {
    parameters: ["buffer", "usize", "buffer"],
    result: "pointer",
    optional: true,
  },
  wasm_importtype_module: { parameters: ["pointer"], result: "pointer" },
  wasm_importtype_name: { parameters: ["pointer"], result: "pointer" },
  wasm_importtype_type: { parameters: ["pointer"], result: "pointer" },
  wasm_exporttype_name: { parameters: ["pointer"], result: "pointer" },
  wasm_exporttype_type: { parameters: ["pointer"], result: "pointer" },
  wasm_externtype_kind: { parameters: ["pointer"], result: "u8" },
  wasm_externtype_as_functype_const: { parameters: ["pointer"], result: "pointer" },
  wasm_externtype_as_memorytype_const: { parameters: ["pointer"], result: "pointer" },
  wasm_memorytype_limits: { parameters: ["pointer"], result: "pointer" },
  wasm_functype_params: { parameters: ["pointer"], result: "pointer" },
  wasm_functype_results: { parameters: ["pointer"], result: "pointer" },
  wasm_functype_new: { parameters: ["buffer", "buffer"], result: "pointer" },
  wasm_functype_delete: { parameters: ["pointer"], result: "void" },
  wasm_valtype_new: { parameters: ["u8"], result: "pointer" },
  wasm_valtype_kind: { parameters: ["pointer"], result: "u8" },
  wasm_valtype_vec_new: { parameters: ["buffer", "usize", "buffer"], result: "void" },
  wasm_importtype_vec_delete: { parameters: ["buffer"], result: "void" },
  wasm_exporttype_vec_delete: { parameters: ["buffer"], result: "void" },
  wasm_byte_vec_delete: { parameters: ["buffer"], result: "void" },
  wasmtime_linker_new: { parameters: ["pointer"], result: "pointer" },
  wasmtime_linker_delete: { parameters: ["pointer"], result: "void" },
  wasmtime_linker_define_func_unchecked: {
    parameters: [
      ...["pointer", "buffer", "usize", "buffer", "usize"] as const,
      ...["pointer", "function", "pointer", "pointer"] as const,
    ],
    result: "pointer",
  },
  wasmtime_linker_instantiate_pre: {
    parameters: ["pointer", "pointer", "buffer"],
    result: "pointer",
  },
  wasmtime_instance_pre_delete: { parameters: ["pointer"], result: "void" },
  wasmtime_instance_pre_instantiate: {
    parameters: ["pointer", "pointer", "buffer", "buffer"],
    result: "pointer",
  },
  /** The same function on a thread of its own, for modules that may run long. */
  instantiate_off_thread: {
    name: "wasmtime_instance_pre_instantiate",
    parameters: ["pointer", "pointer", "buffer", "buffer"],
    result: "pointer",
    nonblocking: true,
  },
  wasmtime_instance_export_get: {
    parameters: ["pointer", "buffer", "buffer", "usize", "buffer"],
    result: "bool",
  },
  /** The second is a number of ours, which the store keeps for us. */
  wasmtime_store_new: { parameters: ["pointer", "usize", "pointer"], result: "pointer" },
  wasmtime_store_delete: { parameters: ["pointer"], result: "void" },
  wasmtime_store_context: { parameters: ["pointer"], result: "pointer" },
  wasmtime_store_limiter: {
    parameters: ["pointer", "i64", "i64", "i64", "i64", "i64"],
    result: "void",
  },
  wasmtime_context_set_epoch_deadline: { parameters: ["pointer", "u64"], result: "void" },
  wasmtime_context_get_data: { parameters: ["pointer"], result: "usize" },
  wasmtime_caller_context: { parameters: ["pointer"], result: "pointer" },
  wasmtime_caller_export_get: {
    parameters: ["pointer", "buffer", "usize", "buffer"],
    result: "bool",
  },
  wasmtime_memory_data: { parameters: ["pointer", "buffer"], result: "usize" },
  wasmtime_memory_data_size: { parameters: ["pointer", "buffer"], result: "usize" },
  wasmtime_func_call_unchecked: {
    parameters: ["pointer", "buffer", "buffer", "usize", "buffer"],
    result: "pointer",
  },
  /** The same function on a thread of its own, for calls that may run long. */
  call_off_thread: {
    name: "wasmtime_func_call_unchecked",
    parameters: ["pointer", "buffer", "buffer", "usize", "buffer"],
    result: "pointer",
    nonblocking: true,
  },
  wasmtime_error_message: { parameters: ["pointer", "buffer"], result: "void" },
  wasmtime_error_delete: { parameters: ["pointer"], result: "void" },
  wasmtime_trap_new: { parameters: ["buffer", "usize"], result: "pointer" },
  wasm_trap_message: { parameters: ["pointer", "buffer"], result: "void" },
  wasmtime_trap_code: { parameters: ["pointer", "buffer"], result: "bool" },
  wasm_trap_delete: { parameters: ["pointer"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The loaded functions of libwasmtime. */
export type WasmtimeSymbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** A loaded libwasmtime. Disposing it unloads the library: first dispose every engine made with it. */
export interface WasmtimeLibrary extends Disposable {
  readonly symbols: WasmtimeSymbols;
  readonly path: string;
}

/**
 * Loads libwasmtime.
 *
 * @throws {AppError} Unsupported when there is no such file, or it cannot be loaded here
 */
export function loadLibrary(path: string): WasmtimeLibrary {
  let library: Deno.DynamicLibrary<typeof SYMBOLS>;
  try {
    if (!Deno.statSync(path).isFile) throw new Deno.errors.NotFound();
    library = Deno.dlopen(path, SYMBOLS);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new AppError(
        "Unsupported",
        `there is no libwasmtime at ${path}: "deno task setup" fetches it (on an installed machine ` +
          `tools/libwasmtime/fetch.ts), or name one with SKERRY_LIBWASMTIME`,
      );
    }
    throw new AppError(
      "Unsupported",
      `${path} cannot be loaded as libwasmtime (needs a C API of major 48 to 50 for ` +
        `${Deno.build.arch} Linux with glibc): ${errorText(error)}`,
      { cause: error },
    );
  }
  return {
    symbols: library.symbols,
    path,
    [Symbol.dispose]: () => library.close(),
  };
}
