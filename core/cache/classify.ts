import { isAppError } from "../base/mod.ts";

/**
 * What an informer does about a failed or ended watch: `resume` from the last version, `relist`
 * from the start, or `stop`, because asking again can only fail again.
 */
export type Recovery = "resume" | "relist" | "stop";

/**
 * Decides what to do about the end of a watch; `undefined` stands for an end without an error.
 * Source: client-go's reflector. Whatever is not known to be hopeless is tried again, with
 * back-off: an informer that gives up is blind without anybody noticing.
 */
export function classify(error: unknown): Recovery {
  if (error === undefined) return "resume";
  if (isAppError(error, "BadRequest", "Invalid", "MethodNotAllowed", "Unsupported")) return "stop";
  if (isAppError(error, "ServiceUnavailable", "TooManyRequests", "Timeout")) return "resume";
  return "relist";
}
