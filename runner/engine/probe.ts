import { AppError } from "../../core/base/mod.ts";
import { describeModule } from "./describe.ts";
import { Engine } from "./engine.ts";
import { OutPointer, takeError } from "./foreign.ts";
import { EXTERN_FUNC, EXTERN_MEMORY, type Layout, layoutOf } from "./layout.ts";
import { loadLibrary, type WasmtimeLibrary } from "./library.ts";
import type { EngineSettings } from "./settings.ts";
import { readEngineStamp, scanLibraryVersion } from "./version.ts";

/** What a probe found out about a library with some settings. */
export interface ProbeResult {
  /** e.g. `50.0.0`. */
  readonly version: string;
  readonly major: number;
  /** Hex digest of all that decides whether a compiled module fits this engine. */
  readonly engineHash: string;
}

/** `(module (memory (export "m") 1 1) (func (export "f") (param i32) (result i32) local.get 0))`. */
const TINY_MODULE: readonly number[] = [
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x06, 0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f],
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x05, 0x04, 0x01, 0x01, 0x01, 0x01],
  ...[0x07, 0x09, 0x02, 0x01, 0x6d, 0x02, 0x00, 0x01, 0x66, 0x00, 0x00],
  ...[0x0a, 0x06, 0x01, 0x04, 0x00, 0x20, 0x00, 0x0b],
];

/**
 * Makes an engine with `settings`, asks it for its version, checks that the library's types are
 * laid out as the table of its major says, and calls a tiny module. Run it in a process of its own:
 * wrong settings and a wrong layout end the process.
 *
 * @throws {AppError} Unsupported when the library does not fit
 */
export async function probeEngine(path: string, settings: EngineSettings): Promise<ProbeResult> {
  const library = loadLibrary(path);
  const engine = new Engine(library, settings);
  const compiled = engine.compile(new Uint8Array(TINY_MODULE));
  const stamp = readEngineStamp(compiled);
  checkLayout(library, engine, layoutOf(stamp.major));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", stamp.bytes)).toHex();
  return {
    version: scanLibraryVersion(await Deno.readFile(path), stamp.major),
    major: stamp.major,
    engineHash: hash,
  };
}

/** Fills the space around every out-parameter and looks at what the library wrote there. */
function checkLayout(library: WasmtimeLibrary, engine: Engine, layout: Layout): void {
  const { symbols } = library;
  using module = engine.compileModule(new Uint8Array(TINY_MODULE));
  const description = describeModule(engine, module);
  if (description.exports.map(({ kind }) => kind).join() !== "memory,func") throw unfit("exports");
  const linker = symbols.wasmtime_linker_new(engine.pointer);
  const pre = new OutPointer();
  const error = symbols.wasmtime_linker_instantiate_pre(linker, module.pointer, pre.buffer);
  if (error) throw unfit(takeError(symbols, error));
  const store = symbols.wasmtime_store_new(engine.pointer, 0n, null);
  const context = symbols.wasmtime_store_context(store);
  symbols.wasmtime_context_set_epoch_deadline(context, 1000n);
  const [instance, trap] = [guarded(layout.instance), new OutPointer()];
  const prePointer = pre.take();
  const failed = symbols.wasmtime_instance_pre_instantiate(
    prePointer,
    context,
    instance,
    trap.buffer,
  );
  // No fault of the library: this machine does not have the address space, smaller settings may fit.
  if (failed) throw new AppError("InternalError", takeError(symbols, failed));
  const read = (name: string): Uint8Array<ArrayBuffer> => {
    const place = guarded(layout.extern);
    const text = new TextEncoder().encode(name);
    const found = symbols.wasmtime_instance_export_get(context, instance, text, 1n, place);
    if (!found || !untouched(place, layout.extern)) throw unfit("wasmtime_extern_t");
    return place;
  };
  const [memory, func] = [read("m"), read("f")];
  if (
    memory[0] !== EXTERN_MEMORY || func[0] !== EXTERN_FUNC || !untouched(instance, layout.instance)
  ) {
    throw unfit("wasmtime_extern_t kinds");
  }
  const size = symbols.wasmtime_memory_data_size(context, memory.subarray(8, 8 + layout.memory));
  const slots = guarded(layout.rawVal);
  new DataView(slots.buffer).setInt32(0, 4711, true);
  symbols.wasmtime_func_call_unchecked(context, func.subarray(8), slots, 1n, trap.buffer);
  const answer = new DataView(slots.buffer).getInt32(0, true);
  if (size !== 65536n || answer !== 4711 || !untouched(slots, layout.rawVal)) {
    throw unfit(`memory of ${size} bytes, answer ${answer}`);
  }
  symbols.wasmtime_store_delete(store);
  symbols.wasmtime_instance_pre_delete(prePointer);
  symbols.wasmtime_linker_delete(linker);
}

const GUARD = 0xa5;

function guarded(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(size + 64).fill(GUARD);
}

function untouched(place: Uint8Array, size: number): boolean {
  return place.subarray(size).every((byte) => byte === GUARD);
}

function unfit(what: string): AppError {
  return new AppError(
    "Unsupported",
    `libwasmtime's types are not laid out as expected (${what}): use the pinned library`,
  );
}
