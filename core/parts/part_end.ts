import { AppError, type ErrorCode, errorText, stateTrouble } from "../base/mod.ts";
import { EXIT } from "./ready.ts";

/** How a part ends because of an error. */
export interface PartEnd {
  /** One of {@linkcode EXIT}. */
  readonly code: number;
  /** What happened and what to do. */
  readonly reason: string;
}

/** Errors that a restart does not mend, and the exit code that says so. */
const FINAL_ERRORS: Partial<Record<ErrorCode, number>> = {
  BadRequest: EXIT.usage,
  Invalid: EXIT.usage,
  AlreadyExists: EXIT.cannotCreate,
  Unauthorized: EXIT.needsJoin,
  Unsupported: EXIT.unsupported,
};

/** With what code and reason a part ends that `error` stopped. */
export function partEnd(error: unknown): PartEnd {
  const reason = errorText(error);
  const trouble = stateTrouble(error);
  if (trouble === "in-use") return { code: EXIT.inUse, reason };
  if (trouble) {
    // The system's own words name the path and no remedy.
    const advice = error instanceof AppError
      ? ""
      : ": use a folder that this user may write, on a file system that is not read-only";
    return { code: EXIT.noState, reason: `${reason}${advice}` };
  }
  const code = error instanceof AppError ? FINAL_ERRORS[error.code] : undefined;
  return { code: code ?? EXIT.failure, reason };
}
