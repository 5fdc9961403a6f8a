/** One member of a tar archive. */
export type TarEntry =
  | {
    readonly kind: "file";
    readonly path: string;
    readonly mode: number;
    readonly data: Uint8Array;
  }
  | { readonly kind: "directory"; readonly path: string; readonly mode: number }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

const BLOCK = 512;
const TYPE = { file: "0", link: "1", directory: "5" } as const;
const encoder = new TextEncoder();

/**
 * Writes a POSIX ustar archive. Owner is root and every time is the epoch, so that the same entries
 * give the same bytes and an image keeps its digest. `link` is a hard link.
 *
 * @throws {RangeError} when a path or link target does not fit a ustar header.
 */
export function writeTar(entries: readonly TarEntry[]): Uint8Array<ArrayBuffer> {
  const size = entries.reduce((sum, entry) => sum + BLOCK + paddedSize(entry), 0) + 2 * BLOCK;
  const out = new Uint8Array(size);
  let at = 0;
  for (const entry of entries) {
    writeHeader(out.subarray(at, at + BLOCK), entry);
    if (entry.kind === "file") out.set(entry.data, at + BLOCK);
    at += BLOCK + paddedSize(entry);
  }
  return out;
}

function paddedSize(entry: TarEntry): number {
  return entry.kind === "file" ? Math.ceil(entry.data.length / BLOCK) * BLOCK : 0;
}

/** Field offsets are those of the ustar interchange format (POSIX.1-1988). */
function writeHeader(header: Uint8Array, entry: TarEntry): void {
  const put = (offset: number, length: number, text: string): void => {
    const bytes = encoder.encode(text);
    if (bytes.length > length) {
      throw new RangeError(`Cannot write "${text}" to a tar header: longer than ${length} bytes`);
    }
    header.set(bytes, offset);
  };
  const octal = (offset: number, length: number, value: number): void =>
    put(offset, length, value.toString(8).padStart(length - 1, "0"));
  put(0, 100, entry.path);
  octal(100, 8, entry.kind === "link" ? 0o777 : entry.mode);
  octal(108, 8, 0);
  octal(116, 8, 0);
  octal(124, 12, entry.kind === "file" ? entry.data.length : 0);
  octal(136, 12, 0);
  put(148, 8, "        ");
  put(156, 1, TYPE[entry.kind]);
  if (entry.kind === "link") put(157, 100, entry.target);
  put(257, 6, "ustar");
  put(263, 2, "00");
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(148, 8, sum.toString(8).padStart(6, "0") + "\0 ");
}
