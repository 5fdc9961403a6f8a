// The host functions of skerry-core-v1. AssemblyScript, not TypeScript.

@external("skerry", "log")
declare function hostLog(level: u32, text: usize, size: u32): void;

@external("skerry", "env")
declare function hostEnv(name: usize, nameSize: u32, value: usize, room: u32): i32;

/** Writes a line to the function's log. */
export function log(text: string): void {
  const bytes = String.UTF8.encode(text);
  hostLog(1, changetype<usize>(bytes), bytes.byteLength);
}

/** A variable of the function's environment, or `fallback`. */
export function env(name: string, fallback: string): string {
  const key = String.UTF8.encode(name);
  const room = new ArrayBuffer(256);
  const size = hostEnv(changetype<usize>(key), key.byteLength, changetype<usize>(room), 256);
  if (size < 0 || size > 256) return fallback;
  return String.UTF8.decodeUnsafe(changetype<usize>(room), size);
}
