import type { Clock, Ms } from "../../core/base/mod.ts";
import type { Engine, LoadedModule } from "./engine.ts";
import { OutPointer, takeError, takeTrap } from "./foreign.ts";
import { type CallState, HostLinker } from "./host.ts";
import { skerryHost } from "./host_skerry.ts";
import { wasiHost } from "./host_wasi.ts";
import { EXTERN_FUNC, EXTERN_MEMORY, type Layout } from "./layout.ts";
import type { Libc } from "./libc.ts";
import type { Ticker } from "./ticker.ts";

/** The two ways in which a module can be a function. */
export type Abi = "skerry-core-v1" | "wasi-command";

/** A module that is ready to be instantiated for calls. */
export interface Prepared extends Disposable {
  readonly pointer: Deno.PointerObject;
  readonly abi: Abi;
}

/** One call of a function. */
export interface Invocation {
  readonly prepared: Prepared;
  /** The request: an envelope for `skerry-core-v1`, standard input for `wasi-command`. */
  readonly input: Uint8Array<ArrayBuffer>;
  readonly env: Readonly<Record<string, string>>;
  /** For commands; the first is the program's name. */
  readonly args: readonly string[];
  /** Linear memory that the instance may grow to, in bytes. */
  readonly memoryBytes: number;
  /** Most bytes of the answer. */
  readonly outputBytes: number;
  /** Time until the guest is stopped. */
  readonly timeout: Ms;
}

/** Why a call gave no answer. */
export type InvokeFailure =
  | "Timeout" // stopped at its deadline
  | "Trap" // the guest trapped; the message says how
  | "BadResponse" // the guest answered with something that is no answer
  | "OutputTooLarge"
  | "Exhausted"; // no instance slot is free, or the instance does not fit

/** How a call ended. `logs` are the lines that the guest wrote. */
export type InvokeResult =
  & { readonly logs: CallState["logs"] }
  & (
    | { readonly ok: true; readonly output: Uint8Array<ArrayBuffer> }
    | { readonly ok: false; readonly failure: InvokeFailure; readonly message: string }
  );

/** wasmtime's trap code for a reached epoch deadline. */
const INTERRUPT = 10;
const encoder = new TextEncoder();
/** The name of an export, in the form that the library takes. */
interface ExportName {
  readonly text: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly size: bigint;
}

function exportName(text: string): ExportName {
  const bytes = encoder.encode(text);
  return { text, bytes, size: BigInt(bytes.length) };
}

const NAMES = {
  memory: exportName("memory"),
  alloc: exportName("alloc"),
  handle: exportName("handle"),
  _start: exportName("_start"),
};

/** The places in our memory that one call needs the library to write to. */
class Places {
  readonly instance: Uint8Array<ArrayBuffer>;
  readonly funcExtern: Uint8Array<ArrayBuffer>;
  /** The function inside of {@linkcode funcExtern}. */
  readonly func: Uint8Array<ArrayBuffer>;
  readonly memoryExtern: Uint8Array<ArrayBuffer>;
  /** The memory inside of {@linkcode memoryExtern}. */
  readonly memory: Uint8Array<ArrayBuffer>;
  readonly trap = new OutPointer();
  readonly slots: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;

  constructor(layout: Layout) {
    this.instance = new Uint8Array(layout.instance);
    this.funcExtern = new Uint8Array(layout.extern);
    this.func = this.funcExtern.subarray(8);
    this.memoryExtern = new Uint8Array(layout.extern);
    this.memory = this.memoryExtern.subarray(8);
    this.slots = new Uint8Array(layout.rawVal * 2);
    this.view = new DataView(this.slots.buffer);
  }
}

/** A guest stopped or refused; becomes the `ok: false` of a result. */
class Failure extends Error {
  readonly failure: InvokeFailure;
  constructor(failure: InvokeFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}

/** Options of {@linkcode Invoker}. */
export interface InvokerOptions {
  readonly engine: Engine;
  readonly layout: Layout;
  readonly libc: Libc;
  readonly ticker: Ticker;
  readonly clock: Clock;
}

/**
 * Calls guests: every call gets a fresh store and instance, a memory limit and a deadline, and
 * leaves nothing behind. {@linkcode invoke} blocks this thread and is right for calls that end
 * within a few milliseconds; {@linkcode invokeOffThread} runs the guest on another thread.
 */
export class Invoker implements Disposable {
  readonly #options: InvokerOptions;
  readonly #calls = new Map<number, CallState>();
  readonly #linkers: Record<Abi, HostLinker>;
  readonly #places: Places;
  #lastId = 0;

  constructor(options: InvokerOptions) {
    this.#options = options;
    this.#places = new Places(options.layout);
    const callOf = (id: number): CallState | undefined => this.#calls.get(id);
    const { engine, layout, libc, clock } = options;
    const linker = (functions: ReturnType<typeof skerryHost>): HostLinker =>
      new HostLinker({ engine, layout, libc, functions, callOf });
    this.#linkers = {
      "skerry-core-v1": linker(skerryHost(clock)),
      "wasi-command": linker(wasiHost(clock)),
    };
  }

  /** Links a module once, so that instantiating it is cheap. @throws {TypeError} when an import is not offered */
  prepare(module: LoadedModule, abi: Abi): Prepared {
    const { symbols } = this.#options.engine;
    const out = new OutPointer();
    const error = symbols.wasmtime_linker_instantiate_pre(
      this.#linkers[abi].pointer,
      module.pointer,
      out.buffer,
    );
    if (error) throw new TypeError(takeError(symbols, error));
    const pointer = out.take();
    if (pointer === null) throw new TypeError("libwasmtime linked no module");
    let live = true;
    return {
      pointer,
      abi,
      [Symbol.dispose]: () => {
        if (live) symbols.wasmtime_instance_pre_delete(pointer);
        live = false;
      },
    };
  }

  /** Makes one instance and drops it. Returns why that failed, or `undefined`. */
  tryInstance(
    prepared: Prepared,
    limits: Pick<Invocation, "memoryBytes" | "timeout">,
  ): string | undefined {
    const invocation: Invocation = {
      ...{ prepared, input: new Uint8Array(), env: {}, args: [], outputBytes: 0 },
      ...limits,
    };
    const { symbols } = this.#options.engine;
    const id = this.#begin(invocation);
    const call = this.#calls.get(id) as CallState;
    const store = this.#store(invocation, id);
    const context = symbols.wasmtime_store_context(store);
    const { instance, trap } = this.#places;
    try {
      this.#deadline(context, limits.timeout);
      const { pointer } = prepared;
      this.#check(
        symbols.wasmtime_instance_pre_instantiate(pointer, context, instance, trap.buffer),
        this.#places,
        call,
      );
      return undefined;
    } catch (error) {
      if (error instanceof Failure) return error.message;
      throw error;
    } finally {
      symbols.wasmtime_store_delete(store);
      this.#end(id);
    }
  }

  /** Calls the guest on this thread. */
  invoke(invocation: Invocation): InvokeResult {
    const id = this.#begin(invocation);
    const call = this.#calls.get(id) as CallState;
    const { symbols } = this.#options.engine;
    const store = this.#store(invocation, id);
    const context = symbols.wasmtime_store_context(store);
    const places = this.#places;
    try {
      this.#deadline(context, invocation.timeout);
      const { pointer, abi } = invocation.prepared;
      this.#check(
        symbols.wasmtime_instance_pre_instantiate(
          pointer,
          context,
          places.instance,
          places.trap.buffer,
        ),
        places,
        call,
      );
      const run = (name: ExportName, slots: bigint): void => {
        const func = this.#func(context, places, name);
        const { slots: values, trap } = places;
        this.#check(
          symbols.wasmtime_func_call_unchecked(context, func, values, slots, trap.buffer),
          places,
          call,
        );
      };
      if (abi === "wasi-command") {
        run(NAMES._start, 0n);
        return this.#commandResult(call);
      }
      places.view.setUint32(0, invocation.input.length, true);
      run(NAMES.alloc, 1n);
      this.#putRequest(context, places, invocation.input);
      run(NAMES.handle, 2n);
      return { ok: true, output: this.#takeResponse(context, places, invocation), logs: call.logs };
    } catch (error) {
      return this.#failed(error, call);
    } finally {
      symbols.wasmtime_store_delete(store);
      this.#end(id);
    }
  }

  /** Calls the guest on a thread of the library's caller pool; this thread stays free. */
  async invokeOffThread(invocation: Invocation): Promise<InvokeResult> {
    const id = this.#begin(invocation);
    const call = this.#calls.get(id) as CallState;
    const { symbols } = this.#options.engine;
    const store = this.#store(invocation, id);
    const context = symbols.wasmtime_store_context(store);
    const places = new Places(this.#options.layout);
    try {
      this.#deadline(context, invocation.timeout);
      const { pointer, abi } = invocation.prepared;
      this.#check(
        await symbols.instantiate_off_thread(
          pointer,
          context,
          places.instance,
          places.trap.buffer,
        ),
        places,
        call,
      );
      const run = async (name: ExportName, slots: bigint): Promise<void> => {
        const func = this.#func(context, places, name).slice();
        const { slots: values, trap } = places;
        this.#check(
          await symbols.call_off_thread(context, func, values, slots, trap.buffer),
          places,
          call,
        );
      };
      if (abi === "wasi-command") {
        await run(NAMES._start, 0n);
        return this.#commandResult(call);
      }
      places.view.setUint32(0, invocation.input.length, true);
      await run(NAMES.alloc, 1n);
      this.#putRequest(context, places, invocation.input);
      await run(NAMES.handle, 2n);
      return { ok: true, output: this.#takeResponse(context, places, invocation), logs: call.logs };
    } catch (error) {
      return this.#failed(error, call);
    } finally {
      symbols.wasmtime_store_delete(store);
      this.#end(id);
    }
  }

  #begin(invocation: Invocation): number {
    const id = this.#lastId = this.#lastId % 0x7fffffff + 1;
    this.#calls.set(id, {
      env: invocation.env,
      args: invocation.args,
      stdin: invocation.input,
      stdinAt: 0,
      stdout: [],
      stdoutSize: 0,
      outputBytes: invocation.outputBytes,
      overflow: false,
      exitCode: undefined,
      logs: [],
      logSize: 0,
    });
    this.#options.ticker.enter();
    return id;
  }

  #end(id: number): void {
    this.#options.ticker.leave();
    this.#calls.delete(id);
  }

  #store(invocation: Invocation, id: number): Deno.PointerValue {
    const { engine } = this.#options;
    const store = engine.symbols.wasmtime_store_new(engine.pointer, BigInt(id), null);
    const memory = Math.min(invocation.memoryBytes, engine.settings.maxMemory);
    engine.symbols.wasmtime_store_limiter(store, BigInt(memory), 20_000n, 1n, 4n, 1n);
    return store;
  }

  /** A deadline counts from the next tick, so one tick more keeps the promised time whole. */
  #deadline(context: Deno.PointerValue, timeout: Ms): void {
    const ticks = Math.max(1, Math.ceil(timeout / this.#options.ticker.tick)) + 1;
    this.#options.engine.symbols.wasmtime_context_set_epoch_deadline(context, BigInt(ticks));
  }

  #func(context: Deno.PointerValue, places: Places, name: ExportName): Uint8Array<ArrayBuffer> {
    this.#export(context, places.instance, name, places.funcExtern, EXTERN_FUNC);
    return places.func;
  }

  #export(
    context: Deno.PointerValue,
    instance: Uint8Array<ArrayBuffer>,
    name: ExportName,
    place: Uint8Array<ArrayBuffer>,
    kind: number,
  ): void {
    const found = this.#options.engine.symbols.wasmtime_instance_export_get(
      context,
      instance,
      name.bytes,
      name.size,
      place,
    );
    if (found && place[0] === kind) return;
    throw new Failure("BadResponse", `the module lost its export ${name.text}`);
  }

  #putRequest(
    context: Deno.PointerValue,
    places: Places,
    input: Uint8Array<ArrayBuffer>,
  ): void {
    const { engine: { symbols }, libc } = this.#options;
    const ptr = places.view.getUint32(0, true);
    this.#export(context, places.instance, NAMES.memory, places.memoryExtern, EXTERN_MEMORY);
    const size = Number(symbols.wasmtime_memory_data_size(context, places.memory));
    if (ptr === 0 || ptr + input.length > size) {
      throw new Failure(
        "BadResponse",
        `alloc(${input.length}) returned ${ptr}, which is no room for the request in a memory ` +
          `of ${size} bytes`,
      );
    }
    const base = symbols.wasmtime_memory_data(context, places.memory);
    libc.symbols.copy_in(base + BigInt(ptr), input, BigInt(input.length));
    places.view.setUint32(0, ptr, true);
    places.view.setUint32(16, input.length, true);
  }

  #takeResponse(
    context: Deno.PointerValue,
    places: Places,
    invocation: Invocation,
  ): Uint8Array<ArrayBuffer> {
    const { engine: { symbols }, libc } = this.#options;
    const [length, ptr] = [places.view.getUint32(0, true), places.view.getUint32(4, true)];
    if (length > invocation.outputBytes) throw tooLarge(invocation.outputBytes);
    const size = Number(symbols.wasmtime_memory_data_size(context, places.memory));
    if (ptr + length > size) {
      throw new Failure(
        "BadResponse",
        `handle returned ${length} bytes at ${ptr}, outside of its memory of ${size} bytes`,
      );
    }
    const out = new Uint8Array(length);
    const base = symbols.wasmtime_memory_data(context, places.memory);
    if (length > 0) libc.symbols.copy_out(out, base + BigInt(ptr), BigInt(length));
    return out;
  }

  #commandResult(call: CallState): InvokeResult {
    if (call.overflow) throw tooLarge(call.outputBytes);
    const output = new Uint8Array(call.stdoutSize);
    let at = 0;
    for (const chunk of call.stdout) {
      output.set(chunk, at);
      at += chunk.length;
    }
    return { ok: true, output, logs: call.logs };
  }

  /** Turns an error or a trap of the library into a {@linkcode Failure}. */
  #check(error: Deno.PointerValue, places: Places, call: CallState): void {
    const { symbols } = this.#options.engine;
    if (error !== null) {
      const message = takeError(symbols, error);
      throw new Failure(/limit|concurrent|allocat/i.test(message) ? "Exhausted" : "Trap", message);
    }
    if (!places.trap.filled) return;
    const trap = places.trap.take();
    if (trap === null) return;
    const { code, message } = takeTrap(symbols, trap);
    if (call.exitCode !== undefined) throw new Failure("Trap", `exit ${call.exitCode}`);
    if (code === INTERRUPT) throw new Failure("Timeout", "stopped at its time limit");
    throw new Failure("Trap", message);
  }

  #failed(error: unknown, call: CallState): InvokeResult {
    if (!(error instanceof Failure)) throw error;
    if (call.exitCode === 0) {
      try {
        return this.#commandResult(call);
      } catch (inner) {
        if (!(inner instanceof Failure)) throw inner;
        return { ok: false, failure: inner.failure, message: inner.message, logs: call.logs };
      }
    }
    if (call.overflow && error.failure === "Trap") error = tooLarge(call.outputBytes);
    const { failure, message } = error as Failure;
    return { ok: false, failure, message, logs: call.logs };
  }

  [Symbol.dispose](): void {
    for (const linker of Object.values(this.#linkers)) linker[Symbol.dispose]();
  }
}

function tooLarge(limit: number): Failure {
  return new Failure("OutputTooLarge", `the answer is larger than the limit of ${limit} bytes`);
}
