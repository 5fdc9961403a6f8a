import { errorText } from "../../core/base/mod.ts";
import type { Engine } from "./engine.ts";
import { EXTERN_MEMORY, type Layout } from "./layout.ts";
import { takeError } from "./foreign.ts";
import type { Libc } from "./libc.ts";

const encoder = new TextEncoder();

/** A guest did what it may not; the text becomes the message of its trap. */
export class GuestFault extends Error {}

/** A line that a guest logged. */
export interface GuestLog {
  /** 0 debug, 1 info, 2 warn, 3 error. */
  readonly level: number;
  readonly text: string;
}

/** What a call gives to its guest and collects from it. One per call. */
export interface CallState {
  /** Environment of the function. */
  readonly env: Readonly<Record<string, string>>;
  /** Arguments, for commands; the first is the program's name. */
  readonly args: readonly string[];
  /** What a command reads from its standard input. */
  readonly stdin: Uint8Array;
  stdinAt: number;
  /** What a command wrote to its standard output. */
  stdout: Uint8Array[];
  stdoutSize: number;
  /** Most bytes on standard output. */
  readonly outputBytes: number;
  /** Set when the guest wrote more than {@linkcode outputBytes}. */
  overflow: boolean;
  /** Set when a command called `proc_exit`. */
  exitCode: number | undefined;
  readonly logs: GuestLog[];
  logSize: number;
}

/** Most bytes of log that one call may write; the rest is dropped. */
const LOG_BYTES = 8192;

/** Adds a line to the log of a call, cut to what is left of its budget. */
export function addLog(call: CallState, level: number, text: string): void {
  const left = LOG_BYTES - call.logSize;
  if (left <= 0) return;
  const cut = text.length > left ? text.slice(0, left) : text;
  call.logSize += cut.length + 1;
  call.logs.push({ level: Math.min(3, Math.max(0, level)), text: cut });
}

/** The memory of a guest during a host call. Every access is checked against its size. */
export interface GuestMemory {
  /** A copy of the bytes. @throws {GuestFault} when they lie outside */
  read(ptr: number, size: number): Uint8Array<ArrayBuffer>;
  /** @throws {GuestFault} when the place lies outside */
  write(ptr: number, data: Uint8Array<ArrayBuffer>): void;
}

/** Reads arguments of a host call by their position. */
export interface HostArgs {
  u32(index: number): number;
  u64(index: number): bigint;
}

/** A function that guests may import. `run` returns the result when the signature has one. */
export interface HostFunction {
  readonly module: string;
  readonly name: string;
  /** Parameters and results, each `i32` or `i64`: `(i32,i32)->i64`. */
  readonly signature: string;
  run(call: CallState, args: HostArgs, memory: GuestMemory): number | bigint | void;
}

/** Options of {@linkcode HostLinker}. */
export interface HostLinkerOptions {
  readonly engine: Engine;
  readonly layout: Layout;
  readonly libc: Libc;
  readonly functions: readonly HostFunction[];
  /** Finds the call of a store by the number that was given to the store. */
  readonly callOf: (id: number) => CallState | undefined;
}

const CALLBACK = {
  parameters: ["pointer", "pointer", "pointer", "usize"],
  result: "pointer",
} as const;

/** A linker that offers host functions written in TypeScript, and nothing else. */
export class HostLinker implements Disposable {
  readonly pointer: Deno.PointerValue;
  readonly #options: HostLinkerOptions;
  readonly #callbacks: Deno.UnsafeCallback<typeof CALLBACK>[] = [];

  constructor(options: HostLinkerOptions) {
    this.#options = options;
    this.pointer = options.engine.symbols.wasmtime_linker_new(options.engine.pointer);
    for (const host of options.functions) this.#define(host);
  }

  #define(host: HostFunction): void {
    const { symbols } = this.#options.engine;
    // Thread-safe: a call that runs off the main thread comes back here through the event loop.
    const callback = Deno.UnsafeCallback.threadSafe(
      CALLBACK,
      (_env, caller, slots) => this.#enter(host, caller, slots),
    );
    callback.unref();
    this.#callbacks.push(callback);
    const [params = "", results = ""] = host.signature.slice(1).split(")->");
    const type = symbols.wasm_functype_new(this.#types(params), this.#types(results));
    const [module, name] = [encoder.encode(host.module), encoder.encode(host.name)];
    const error = symbols.wasmtime_linker_define_func_unchecked(
      this.pointer,
      ...[module, BigInt(module.length), name, BigInt(name.length)] as const,
      ...[type, callback.pointer, null, null] as const,
    );
    symbols.wasm_functype_delete(type);
    if (error) throw new TypeError(takeError(symbols, error));
  }

  /** A vector of value types, owned by the function type that takes it. */
  #types(list: string): Uint8Array<ArrayBuffer> {
    const { symbols } = this.#options.engine;
    const kinds = list === "" ? [] : list.split(",");
    const pointers = new BigUint64Array(
      kinds.map((kind) =>
        BigInt(Deno.UnsafePointer.value(symbols.wasm_valtype_new(kind === "i64" ? 1 : 0)))
      ),
    );
    const vec = new Uint8Array(16);
    symbols.wasm_valtype_vec_new(vec, BigInt(kinds.length), new Uint8Array(pointers.buffer));
    return vec;
  }

  /** Called by the guest. Must not throw: an exception would reach C as a null result. */
  #enter(
    host: HostFunction,
    caller: Deno.PointerValue,
    slots: Deno.PointerValue,
  ): Deno.PointerValue {
    const { symbols } = this.#options.engine;
    try {
      const context = symbols.wasmtime_caller_context(caller);
      const call = this.#options.callOf(Number(symbols.wasmtime_context_get_data(context)));
      if (!call || slots === null) throw new GuestFault("the call is over");
      const view = new Deno.UnsafePointerView(slots);
      const args: HostArgs = {
        u32: (index) => view.getUint32(index * 16),
        u64: (index) => view.getBigUint64(index * 16),
      };
      const result = host.run(call, args, this.#memory(caller, context));
      if (result !== undefined) {
        const out = new DataView(Deno.UnsafePointerView.getArrayBuffer(slots, 8));
        if (typeof result === "bigint") out.setBigInt64(0, result, true);
        else out.setInt32(0, result, true);
      }
      return null;
    } catch (error) {
      const text = encoder.encode(errorText(error));
      return symbols.wasmtime_trap_new(text, BigInt(text.length));
    }
  }

  #memory(caller: Deno.PointerValue, context: Deno.PointerValue): GuestMemory {
    const { engine: { symbols }, layout, libc } = this.#options;
    const place = new Uint8Array(layout.extern);
    const found = symbols.wasmtime_caller_export_get(caller, MEMORY, 6n, place);
    if (!found || place[0] !== EXTERN_MEMORY) throw new GuestFault("the guest exports no memory");
    const memory = place.subarray(8);
    const base = (ptr: number, size: number): bigint => {
      if (ptr + size > Number(symbols.wasmtime_memory_data_size(context, memory))) {
        throw new GuestFault(`${size} bytes at ${ptr} lie outside the guest's memory`);
      }
      return symbols.wasmtime_memory_data(context, memory) + BigInt(ptr);
    };
    return {
      read(ptr, size) {
        const from = base(ptr, size);
        const out = new Uint8Array(size);
        if (size > 0) libc.symbols.copy_out(out, from, BigInt(size));
        return out;
      },
      write(ptr, data) {
        const to = base(ptr, data.length);
        if (data.length > 0) libc.symbols.copy_in(to, data, BigInt(data.length));
      },
    };
  }

  [Symbol.dispose](): void {
    this.#options.engine.symbols.wasmtime_linker_delete(this.pointer);
    for (const callback of this.#callbacks.splice(0)) callback.close();
  }
}

const MEMORY = encoder.encode("memory");
