import { AppError } from "../../core/base/mod.ts";
import { OutVec, takeError } from "./foreign.ts";
import type { WasmtimeLibrary } from "./library.ts";

/**
 * Turns WebAssembly text into a module or component, for examples and tests.
 *
 * @throws {AppError} Invalid with the place of the mistake; Unsupported for a library without it
 */
export function watToWasm(library: WasmtimeLibrary, text: string): Uint8Array<ArrayBuffer> {
  const { symbols } = library;
  if (symbols.wasmtime_wat2wasm === null) {
    throw new AppError("Unsupported", `${library.path} was built without the text format`);
  }
  const source = new TextEncoder().encode(text);
  const out = new OutVec();
  const error = symbols.wasmtime_wat2wasm(source, BigInt(source.length), out.buffer);
  if (error) throw new AppError("Invalid", takeError(symbols, error));
  const wasm = out.bytes();
  symbols.wasm_byte_vec_delete(out.buffer);
  return wasm;
}
