import type { WasmtimeSymbols } from "./library.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** A `char*` for the library: UTF-8 with a zero at the end. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(`${text}\0`);
}

/** A place for one pointer that the library fills in. */
export class OutPointer {
  readonly #value = new BigUint64Array(1);
  /** Pass this as the out-parameter. */
  readonly buffer: Uint8Array<ArrayBuffer> = new Uint8Array(this.#value.buffer);

  /** What the library wrote, and forgets it. */
  take(): Deno.PointerValue {
    const address = this.#value[0] ?? 0n;
    this.#value[0] = 0n;
    return Deno.UnsafePointer.create(address);
  }

  /** Whether the library wrote something. Costs less than {@linkcode take}. */
  get filled(): boolean {
    return this.#value[0] !== 0n;
  }
}

/** A place for one vector (size, pointer) that the library fills in. */
export class OutVec {
  readonly #words = new BigUint64Array(2);
  readonly buffer: Uint8Array<ArrayBuffer> = new Uint8Array(this.#words.buffer);

  /** Copies the bytes out of a byte vector. */
  bytes(): Uint8Array<ArrayBuffer> {
    const size = Number(this.#words[0] ?? 0n);
    const data = Deno.UnsafePointer.create(this.#words[1] ?? 0n);
    if (size === 0 || data === null) return new Uint8Array(0);
    return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(data, size)).slice();
  }

  /** The elements of a vector of pointers; they live as long as the vector. */
  pointers(): Deno.PointerValue[] {
    return pointersOf(this.#words[0] ?? 0n, this.#words[1] ?? 0n);
  }
}

/** The elements of a foreign vector of pointers. */
export function foreignVec(vec: Deno.PointerValue): Deno.PointerValue[] {
  if (vec === null) return [];
  const view = new Deno.UnsafePointerView(vec);
  return pointersOf(view.getBigUint64(0), view.getBigUint64(8));
}

function pointersOf(size: bigint, data: bigint): Deno.PointerValue[] {
  const at = Deno.UnsafePointer.create(data);
  if (size === 0n || at === null) return [];
  const view = new Deno.UnsafePointerView(at);
  return Array.from({ length: Number(size) }, (_, i) => view.getPointer(i * 8));
}

/** The text of a foreign `wasm_name_t`. */
export function foreignName(name: Deno.PointerValue): string {
  if (name === null) return "";
  const view = new Deno.UnsafePointerView(name);
  const size = Number(view.getBigUint64(0));
  const data = view.getPointer(8);
  if (size === 0 || data === null) return "";
  return decoder.decode(Deno.UnsafePointerView.getArrayBuffer(data, size).slice(0));
}

/** Reads the message of an error and frees it. */
export function takeError(symbols: WasmtimeSymbols, error: Deno.PointerObject): string {
  const out = new OutVec();
  symbols.wasmtime_error_message(error, out.buffer);
  const text = decoder.decode(out.bytes());
  symbols.wasm_byte_vec_delete(out.buffer);
  symbols.wasmtime_error_delete(error);
  return text;
}

/** A trap as it was read. */
export interface TrapInfo {
  readonly message: string;
  /** wasmtime's trap code; -1 when the trap has none. */
  readonly code: number;
}

/** Reads a trap and frees it. */
export function takeTrap(symbols: WasmtimeSymbols, trap: Deno.PointerObject): TrapInfo {
  const out = new OutVec();
  symbols.wasm_trap_message(trap, out.buffer);
  // The C API ends a trap's text with a zero byte that is counted in its size.
  const message = decoder.decode(out.bytes()).replace(/\0+$/, "");
  symbols.wasm_byte_vec_delete(out.buffer);
  const code = new Uint8Array(1);
  const known = symbols.wasmtime_trap_code(trap, code);
  symbols.wasm_trap_delete(trap);
  return { message, code: known ? code[0] ?? -1 : -1 };
}
