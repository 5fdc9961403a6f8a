const BLOCK = 512;
const NAME_MAX = 100;
const text = new TextEncoder();

/** A tar archive of symbolic links, by name; names have at most 100 bytes, targets what they want. */
export function linkArchive(links: ReadonlyMap<string, string>): Uint8Array<ArrayBuffer> {
  const blocks: Uint8Array[] = [];
  for (const [name, target] of links) {
    if (text.encode(target).length > NAME_MAX) blocks.push(...longTarget(target));
    blocks.push(header({ name, type: "2", target, size: 0 }));
  }
  blocks.push(new Uint8Array(2 * BLOCK));
  const out = new Uint8Array(blocks.length * BLOCK + BLOCK);
  let at = 0;
  for (const block of blocks) {
    out.set(block, at);
    at += block.length;
  }
  return out.subarray(0, at);
}

/** A record of its own, as POSIX has it for what does not fit into the header. */
function longTarget(target: string): Uint8Array[] {
  const body = ` linkpath=${target}\n`;
  const bare = text.encode(body).length;
  let size = bare + String(bare).length;
  // The record begins with its own length, which may need a digit more for counting itself.
  while (bare + String(size).length !== size) size = bare + String(size).length;
  const data = new Uint8Array(Math.ceil(size / BLOCK) * BLOCK);
  data.set(text.encode(`${size}${body}`));
  return [header({ name: "pax", type: "x", target: "", size }), data];
}

function header(
  entry: { name: string; type: string; target: string; size: number },
): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (at: number, value: string): void => block.set(text.encode(value), at);
  put(0, entry.name);
  put(100, "0000777\0");
  put(108, "0000000\0");
  put(116, "0000000\0");
  put(124, `${entry.size.toString(8).padStart(11, "0")}\0`);
  put(136, "00000000000\0");
  put(148, "        ");
  put(156, entry.type);
  block.set(text.encode(entry.target).subarray(0, NAME_MAX), 157);
  put(257, "ustar\x0000");
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}
