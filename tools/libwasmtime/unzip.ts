/** One member of a zip archive, as its central directory names it. */
interface ZipEntry {
  readonly method: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

/**
 * Takes one member out of a zip archive in memory. Knows stored and deflated members, no zip64 and
 * no encryption: enough for a wheel.
 *
 * @throws {Error} when the archive is damaged, lacks the member, or the member is larger than `maxSize` bytes
 */
export async function unzipMember(
  archive: Uint8Array<ArrayBuffer>,
  name: string,
  maxSize: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const entry = findEntry(archive, view, name);
  if (entry.size > maxSize) throw new Error(`${name} is ${entry.size} bytes, at most ${maxSize}`);
  if (view.getUint32(entry.offset, true) !== 0x04034b50) throw new Error("damaged zip: no member");
  const start = entry.offset + 30 + view.getUint16(entry.offset + 26, true) +
    view.getUint16(entry.offset + 28, true);
  const packed = archive.subarray(start, start + entry.packed);
  if (entry.method === 0) return packed.slice();
  if (entry.method !== 8) throw new Error(`${name}: zip method ${entry.method} is not known`);
  const out = new Uint8Array(entry.size);
  let at = 0;
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  for await (const chunk of stream) {
    if (at + chunk.length > entry.size) throw new Error(`${name} is larger than the archive says`);
    out.set(chunk, at);
    at += chunk.length;
  }
  if (at !== entry.size) throw new Error(`${name} is shorter than the archive says`);
  return out;
}

function findEntry(archive: Uint8Array, view: DataView, name: string): ZipEntry {
  let end = archive.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) throw new Error("not a zip archive");
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  const decoder = new TextDecoder();
  for (let i = 0; i < count; i++) {
    if (view.getUint32(at, true) !== 0x02014b50) throw new Error("damaged zip: no directory");
    const nameLength = view.getUint16(at + 28, true);
    const found = decoder.decode(archive.subarray(at + 46, at + 46 + nameLength));
    if (found === name) {
      return {
        method: view.getUint16(at + 10, true),
        packed: view.getUint32(at + 20, true),
        size: view.getUint32(at + 24, true),
        offset: view.getUint32(at + 42, true),
      };
    }
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  throw new Error(`the archive holds no ${name}`);
}
