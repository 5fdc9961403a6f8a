import { parseCriLine } from "./cri_line.ts";

const NEWLINE = 0x0a;

/** The last lines of a log file as text, for a termination message. Empty when there is no file. */
export async function tailOfLog(
  path: string,
  limit: { readonly lines: number; readonly bytes: number },
): Promise<string> {
  const raw = await readEnd(path, limit.bytes * 4);
  const entries: string[] = [];
  let start = 0;
  for (let at = raw.indexOf(NEWLINE); at >= 0; at = raw.indexOf(NEWLINE, start)) {
    const line = parseCriLine(raw.subarray(start, at));
    if (line) entries.push(new TextDecoder().decode(line.content) + (line.partial ? "" : "\n"));
    start = at + 1;
  }
  const text = entries.join("").split("\n").slice(-limit.lines - 1).join("\n");
  return text.slice(-limit.bytes);
}

async function readEnd(path: string, size: number): Promise<Uint8Array> {
  try {
    using file = await Deno.open(path);
    const { size: length } = await file.stat();
    await file.seek(Math.max(0, length - size), Deno.SeekMode.Start);
    const buffer = new Uint8Array(Math.min(size, length));
    let filled = 0;
    while (filled < buffer.length) {
      const count = await file.read(buffer.subarray(filled));
      if (!count) break;
      filled += count;
    }
    return buffer.subarray(0, filled);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Uint8Array();
    throw error;
  }
}
