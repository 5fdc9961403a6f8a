import { AppError } from "../base/mod.ts";

/** A join token as its holder reads it (docs/protocol.md 7). */
export interface JoinToken {
  /** SHA-256 of the hub CA's DER form, lower-case hex. */
  readonly caHash: string;
  /** The whole text, which is what the hub wants. */
  readonly text: string;
}

/**
 * Reads the part of a token that the node needs.
 *
 * @throws {AppError} BadRequest when the text is no token
 */
export function parseToken(text: string): JoinToken {
  const match = /^skerry1\.([0-9a-f]{64})\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.exec(text.trim());
  if (!match?.[1]) {
    throw new AppError(
      "BadRequest",
      "this is no join token: it starts with skerry1. and is made by 'skerry token create' at the hub",
    );
  }
  return { caHash: match[1], text: text.trim() };
}
