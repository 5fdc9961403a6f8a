import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";

/** What a sealed text begins with; a stored object begins with `{`. */
export const SEALED = "sealed:1:";
/**
 * The kinds whose objects are sealed, as `groupResource` names them: Secrets, and the service account
 * tokens that a node keeps for its pods, with what those accounts may do.
 */
export const SEALED_RESOURCES: ReadonlySet<string> = new Set([
  "secrets",
  "podtokens.skerry.dev",
  "podrules.skerry.dev",
]);
/** Bytes of a key. */
export const KEY_SIZE = 32;

const CIPHER = "aes-256-gcm";
const IV = 12;
const TAG = 16;

/**
 * Seals texts by AES-256-GCM, each with a nonce of its own and bound to the version that it is the
 * state of, so that rows cannot be exchanged.
 */
export class Sealer {
  readonly #key: Uint8Array;

  /** @throws {RangeError} when the key has not {@linkcode KEY_SIZE} bytes */
  constructor(key: Uint8Array) {
    if (key.length !== KEY_SIZE) throw new RangeError(`Cannot seal with ${key.length} bytes`);
    this.#key = key;
  }

  /** Tells this key from others without telling it. */
  get id(): string {
    return createHash("sha256").update("skerry store key\0").update(this.#key).digest("hex")
      .slice(0, 16);
  }

  /** The sealed form of `text`. */
  seal(text: string, rv: number): string {
    const iv = randomBytes(IV);
    const cipher = createCipheriv(CIPHER, this.#key, iv);
    cipher.setAAD(boundTo(rv));
    const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return SEALED + Buffer.concat([iv, cipher.getAuthTag(), body]).toString("base64");
  }

  /** The text of its sealed form. @throws {Error} when it was sealed otherwise, or changed since */
  open(sealed: string, rv: number): string {
    const all = Buffer.from(sealed.slice(SEALED.length), "base64");
    const decipher = createDecipheriv(CIPHER, this.#key, all.subarray(0, IV));
    decipher.setAAD(boundTo(rv));
    decipher.setAuthTag(all.subarray(IV, IV + TAG));
    const body = [decipher.update(all.subarray(IV + TAG)), decipher.final()];
    return Buffer.concat(body).toString("utf8");
  }
}

function boundTo(rv: number): Uint8Array {
  return new TextEncoder().encode(`version ${rv}`);
}
