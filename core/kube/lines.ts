import { AppError } from "../base/mod.ts";

/**
 * The lines of a stream of bytes, without their ends; what follows the last end is left out, as it
 * was broken off.
 *
 * @throws {AppError} RequestEntityTooLarge for a line over `most` bytes
 */
export async function* readLines(
  body: AsyncIterable<Uint8Array>,
  most: number,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      parts.push(chunk.subarray(from, end));
      from = end + 1;
      yield joined(parts, decoder);
      parts = [];
      size = 0;
    }
    const rest = chunk.subarray(from);
    size += rest.byteLength;
    if (size > most) {
      throw new AppError("RequestEntityTooLarge", `a line of over ${most} bytes came`);
    }
    if (rest.byteLength > 0) parts.push(rest);
  }
}

function joined(parts: readonly Uint8Array[], decoder: TextDecoder): string {
  const [only = new Uint8Array()] = parts;
  if (parts.length < 2) return decoder.decode(only);
  let text = "";
  for (const part of parts) text += decoder.decode(part, { stream: true });
  return text + decoder.decode();
}
