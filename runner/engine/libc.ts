/** The few functions of the C library that the runner needs beside libwasmtime. */
const SYMBOLS = {
  /** Copies into foreign memory: (address, our bytes, count). */
  copy_in: { name: "memcpy", parameters: ["usize", "buffer", "usize"], result: "pointer" },
  /** Copies out of foreign memory: (our bytes, address, count). */
  copy_out: { name: "memcpy", parameters: ["buffer", "usize", "usize"], result: "pointer" },
  setpriority: { parameters: ["i32", "u32", "i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The loaded functions. */
export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>;

/** Loads the C library, which is in the process already. */
export function loadLibc(): Libc {
  return Deno.dlopen("libc.so.6", SYMBOLS);
}
