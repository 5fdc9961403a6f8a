const EMPTY: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/**
 * Reads a request's body. `undefined` when it is larger than `cap`: at once when the request says
 * so, before anything is set aside for it, else as soon as more than `cap` bytes have come.
 */
export async function readBody(
  request: Request,
  cap: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { body } = request;
  if (body === null) return EMPTY;
  const said = request.headers.get("content-length");
  if (said !== null && Number(said) > cap) return undefined;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    // Leaving the loop cancels the rest of the stream.
    if (size > cap) return undefined;
    chunks.push(chunk);
  }
  return joinChunks(chunks, size);
}

/** The chunks of a body, `size` bytes in all, as one. */
export function joinChunks(chunks: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const [only] = chunks;
  if (chunks.length === 1 && only) return only as Uint8Array<ArrayBuffer>;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** An empty body. */
export const NO_BODY: Uint8Array<ArrayBuffer> = EMPTY;
