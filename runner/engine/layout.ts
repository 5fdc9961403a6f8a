import { AppError } from "../../core/base/mod.ts";

/** Sizes in bytes of the C API's types, which change between major versions. */
export interface Layout {
  /** `wasmtime_extern_t`: kind u8 at 0, union at 8. */
  readonly extern: number;
  /** `wasmtime_instance_t`. */
  readonly instance: number;
  /** `wasmtime_func_t`: the extern's union for functions. */
  readonly func: number;
  /** `wasmtime_memory_t`: the extern's union for memories. */
  readonly memory: number;
  /** `wasmtime_val_raw_t`: the bare value at 0. */
  readonly rawVal: number;
  /** `wasm_byte_vec_t` and every other vector: size at 0, pointer at 8. */
  readonly vec: number;
  /** `wasmtime_component_func_t`. */
  readonly componentFunc: number;
}

const COMMON = { extern: 32, instance: 16, func: 16, memory: 24, rawVal: 16, vec: 16 } as const;

/** The layouts that are known, by major version: compiled from the headers of each release. */
export const LAYOUTS: Readonly<Record<number, Layout>> = {
  48: { ...COMMON, componentFunc: 24 },
  49: { ...COMMON, componentFunc: 32 },
  50: { ...COMMON, componentFunc: 32 },
};

/** `wasmtime_extern_t` kinds. */
export const EXTERN_FUNC = 0;
/** `wasmtime_extern_t` kinds. */
export const EXTERN_MEMORY = 3;

/**
 * The layout of a major version.
 *
 * @throws {AppError} Unsupported when it is none of 48 to 50
 */
export function layoutOf(major: number): Layout {
  const layout = LAYOUTS[major];
  if (layout) return layout;
  const known = Object.keys(LAYOUTS).join(", ");
  throw new AppError(
    "Unsupported",
    `libwasmtime is of major version ${major}, known are ${known}: name another library with ` +
      `SKERRY_LIBWASMTIME, or unset it to use the pinned one`,
  );
}
