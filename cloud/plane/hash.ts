import { canonicalJson } from "../../core/control/mod.ts";

/** Kubernetes' alphabet for hashes in names: no vowels, nothing that is read as another. */
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/**
 * A short hash (FNV-1a, 32 bits) of a JSON value for names and labels. Members in any order and
 * members that are `undefined` give the same hash.
 */
export function hashOf(value: unknown): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(canonicalJson(value))) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return [...String(hash)].map((digit) => ALPHABET[Number(digit) % ALPHABET.length]).join("");
}
