import type { Engine, LoadedModule } from "./engine.ts";
import { foreignName, foreignVec, OutVec } from "./foreign.ts";
import type { WasmtimeSymbols } from "./library.ts";

/** A function's type in WebAssembly's words: `(i32,i32)->i64`. */
export type Signature = string;

/** One import or export of a module. */
export interface ModuleItem {
  /** The module of an import; `""` for an export. */
  readonly module: string;
  readonly name: string;
  readonly kind: "func" | "global" | "table" | "memory" | "other";
  /** Set for functions. */
  readonly signature?: Signature;
  /** Set for memories: bytes that an instance has from the start. */
  readonly minBytes?: number;
}

/** What a module asks for and offers. */
export interface ModuleDescription {
  readonly imports: readonly ModuleItem[];
  readonly exports: readonly ModuleItem[];
}

/** `wasm_externkind_t` of the classic C API, which differs from `wasmtime_extern_kind_t`. */
const KINDS = ["func", "global", "table", "memory"] as const;
/** `wasm_valkind_t`. */
const VALUE_KINDS: Readonly<Record<number, string>> = {
  0: "i32",
  1: "i64",
  2: "f32",
  3: "f64",
  4: "v128",
  128: "externref",
  129: "funcref",
};

/** Reads the imports and exports of a module. */
export function describeModule(engine: Engine, module: LoadedModule): ModuleDescription {
  const { symbols } = engine;
  const imports = new OutVec();
  symbols.wasmtime_module_imports(module.pointer, imports.buffer);
  const exports = new OutVec();
  symbols.wasmtime_module_exports(module.pointer, exports.buffer);
  const description = {
    imports: imports.pointers().map((at) => ({
      module: foreignName(symbols.wasm_importtype_module(at)),
      name: foreignName(symbols.wasm_importtype_name(at)),
      ...typeOf(symbols, symbols.wasm_importtype_type(at)),
    })),
    exports: exports.pointers().map((at) => ({
      module: "",
      name: foreignName(symbols.wasm_exporttype_name(at)),
      ...typeOf(symbols, symbols.wasm_exporttype_type(at)),
    })),
  };
  symbols.wasm_importtype_vec_delete(imports.buffer);
  symbols.wasm_exporttype_vec_delete(exports.buffer);
  return description;
}

function typeOf(
  symbols: WasmtimeSymbols,
  type: Deno.PointerValue,
): Pick<ModuleItem, "kind" | "signature" | "minBytes"> {
  const kind = KINDS[symbols.wasm_externtype_kind(type)] ?? "other";
  if (kind === "memory") {
    const limits = symbols.wasm_memorytype_limits(
      symbols.wasm_externtype_as_memorytype_const(type),
    );
    const pages = limits === null ? 0 : new Deno.UnsafePointerView(limits).getUint32(0);
    return { kind, minBytes: pages * 65536 };
  }
  if (kind !== "func") return { kind };
  const func = symbols.wasm_externtype_as_functype_const(type);
  const list = (vec: Deno.PointerValue): string =>
    foreignVec(vec).map((at) => VALUE_KINDS[symbols.wasm_valtype_kind(at)] ?? "?").join(",");
  const params = list(symbols.wasm_functype_params(func));
  const results = list(symbols.wasm_functype_results(func));
  return { kind, signature: `(${params})->${results}` };
}
