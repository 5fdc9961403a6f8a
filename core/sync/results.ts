import { AppError, type ErrorCode } from "../base/mod.ts";
import type { Result } from "./messages.ts";

/**
 * Whether a failed intent may succeed when it is sent again unchanged. The link's one table from
 * error codes to what the node does with the row.
 */
const RETRY: Record<ErrorCode, boolean> = {
  BadRequest: false,
  Unauthorized: true,
  Forbidden: false,
  NotFound: false,
  MethodNotAllowed: false,
  AlreadyExists: false,
  Conflict: true,
  Expired: true,
  Invalid: false,
  RequestEntityTooLarge: false,
  UnsupportedMediaType: false,
  TooManyRequests: true,
  Timeout: true,
  ServiceUnavailable: true,
  Unsupported: false,
  InternalError: true,
};

/** The `result` for an intent that failed. What is no {@linkcode AppError} tells the node nothing. */
export function failedResult(seq: number, error: unknown): Result {
  const known = error instanceof AppError
    ? error
    : new AppError("InternalError", "the hub could not apply it");
  const { code, message } = known;
  return {
    t: "result",
    seq,
    ok: false,
    error: { code, message: message.slice(0, 1000), retry: RETRY[code] },
  };
}
