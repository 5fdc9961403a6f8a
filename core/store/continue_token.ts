import { AppError } from "../base/mod.ts";

/** Where a list goes on. */
export interface ContinueToken {
  /** The store's history that the version belongs to. */
  readonly epoch: string;
  /** The version of the first page. */
  readonly rv: number;
  /** The last item of the page before. */
  readonly namespace: string;
  readonly name: string;
}

/** The token as text; opaque to clients, safe in a URL. */
export function formatContinue({ epoch, rv, namespace, name }: ContinueToken): string {
  return new TextEncoder().encode(JSON.stringify([epoch, rv, namespace, name])).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
}

/**
 * Reads a token.
 *
 * @throws {AppError} BadRequest when this is no token of ours
 */
export function parseContinue(text: string): ContinueToken {
  try {
    const bytes = Uint8Array.fromBase64(text, { alphabet: "base64url" });
    const [epoch, rv, namespace, name] = JSON.parse(new TextDecoder().decode(bytes));
    const texts = [epoch, namespace, name].every((part) => typeof part === "string");
    if (texts && Number.isSafeInteger(rv) && rv >= 0) return { epoch, rv, namespace, name };
  } catch {
    // Falls through to the one answer for every unreadable token.
  }
  throw new AppError("BadRequest", "the continue token is not valid; list again without it");
}
