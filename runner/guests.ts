/** A module whose `handle` has the given body: `$ptr` and `$len` name the request. For tests. */
export function guest(body: string, extra = ""): string {
  return `(module
    ${extra}
    (memory (export "memory") 1)
    (data (i32.const 16) "${envelope("ok")}")
    (func (export "alloc") (param i32) (result i32) (i32.const 4096))
    (func (export "handle") (param $ptr i32) (param $len i32) (result i64) ${body}))`;
}

/** What `handle` returns for an answer of `size` bytes at `at`, as text. */
export function answerAt(at: number, size: number): string {
  return `(i64.const ${(BigInt(at) << 32n) | BigInt(size)})`;
}

/** The size of the envelope that {@linkcode guest} keeps at address 16. */
export const OK_SIZE: number = 20 + 2;

/** An answer with status 200, no headers and a body, as the text of a data segment. */
export function envelope(body: string, change: { status?: number; version?: number } = {}): string {
  const words = [change.version ?? 1, change.status ?? 200, 0, 0, body.length];
  return words.map(word).join("") + body;
}

/** A 32-bit number, little endian, as the text of a data segment. */
export function word(value: number): string {
  return [0, 8, 16, 24]
    .map((shift) => `\\${((value >>> shift) & 255).toString(16).padStart(2, "0")}`).join("");
}
