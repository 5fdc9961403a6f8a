/** What a join token says (docs/protocol.md 7): `skerry1.<ca sha256 hex>.<id>.<secret>`. */
export interface JoinToken {
  /** SHA-256 of the CA certificate's DER, lower-case hex. */
  readonly ca: string;
  /** Names the token; no secret. */
  readonly id: string;
  readonly secret: string;
}

const TOKEN = /^skerry1\.([0-9a-f]{64})\.([a-z0-9]{10})\.([A-Za-z0-9_-]{43})$/;
const ID = /^[a-z0-9]{10}$/;
const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

/** Reads a token; `undefined` when the text is none. */
export function parseToken(text: string): JoinToken | undefined {
  const match = TOKEN.exec(text);
  const [, ca, id, secret] = match ?? [];
  return ca === undefined || id === undefined || secret === undefined
    ? undefined
    : { ca, id, secret };
}

/** Whether `text` may be the id of a token. */
export function isTokenId(text: string): boolean {
  return ID.test(text);
}

/** The text of a token. Shown once; it is a secret. */
export function formatToken(token: JoinToken): string {
  return `skerry1.${token.ca}.${token.id}.${token.secret}`;
}

/** A new id (50 bits) and secret (256 bits). */
export function randomToken(): { id: string; secret: string } {
  const id = Array.from(
    crypto.getRandomValues(new Uint8Array(10)),
    (byte) => ALPHABET[byte % ALPHABET.length],
  ).join("");
  const secret = crypto.getRandomValues(new Uint8Array(32))
    .toBase64({ alphabet: "base64url", omitPadding: true });
  return { id, secret };
}
