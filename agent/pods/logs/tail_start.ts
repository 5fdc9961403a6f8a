const NEWLINE = 0x0a;
const BLOCK = 64 * 1024;

/** Where the last `lines` entries of a file begin. Reads backwards, block by block. */
export async function tailStart(file: Deno.FsFile, lines: number): Promise<number> {
  const { size } = await file.stat();
  if (lines === 0) return size;
  const buffer = new Uint8Array(BLOCK);
  let found = 0;
  for (let end = size; end > 0;) {
    const begin = Math.max(0, end - BLOCK);
    await file.seek(begin, Deno.SeekMode.Start);
    const length = await fill(file, buffer.subarray(0, end - begin));
    for (let at = length - 1; at >= 0; at--) {
      if (buffer[at] !== NEWLINE) continue;
      // The newline at the very end closes the last entry and begins none.
      if (begin + at === size - 1) continue;
      if (++found === lines) return begin + at + 1;
    }
    end = begin;
  }
  return 0;
}

async function fill(file: Deno.FsFile, buffer: Uint8Array): Promise<number> {
  let size = 0;
  while (size < buffer.length) {
    const count = await file.read(buffer.subarray(size));
    if (!count) break;
    size += count;
  }
  return size;
}
