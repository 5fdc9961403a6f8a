/** The PEM form of `der` under `label`, e.g. `CERTIFICATE`. */
export function toPem(label: string, der: Uint8Array): string {
  const lines = der.toBase64().match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/**
 * The bytes of the first PEM block with `label` in `text`.
 * @throws {TypeError} when there is none or its content is no base64
 */
export function fromPem(label: string, text: string): Uint8Array<ArrayBuffer> {
  const begin = `-----BEGIN ${label}-----`;
  const end = `-----END ${label}-----`;
  const from = text.indexOf(begin);
  const to = from < 0 ? -1 : text.indexOf(end, from + begin.length);
  if (to < 0) throw new TypeError(`Cannot read PEM as it holds no ${label} block`);
  try {
    return Uint8Array.fromBase64(text.slice(from + begin.length, to).replace(/\s+/g, ""));
  } catch (cause) {
    throw new TypeError(`Cannot read PEM as the ${label} block is no base64`, { cause });
  }
}

/** SHA-256 of `data` in lower-case hex. */
export async function sha256Hex(data: Uint8Array<ArrayBuffer> | string): Promise<string> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
