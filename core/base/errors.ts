/**
 * The closed set of things that can go wrong in Skerry's own domain.
 *
 * The words are Kubernetes' `Status.reason` words where one exists, so that the HTTP rim
 * (`core/http/status.ts`) and the link rim (`core/sync`) map them by one table each.
 */
export type ErrorCode =
  | "BadRequest" // the request cannot be read
  | "Unauthorized" // nobody knows who is asking
  | "Forbidden" // known, but not allowed
  | "NotFound"
  | "MethodNotAllowed"
  | "AlreadyExists"
  | "Conflict" // resourceVersion or uid precondition failed
  | "Expired" // a watch or continue token from before the oldest kept event
  | "Invalid" // the object fails validation
  | "RequestEntityTooLarge"
  | "UnsupportedMediaType"
  | "TooManyRequests"
  | "Timeout"
  | "ServiceUnavailable" // a peer (hub, node, runtime) cannot be reached now
  | "Unsupported" // this build or this machine cannot do it
  | "InternalError";

/** One field that failed validation, in Kubernetes' `Status.details.causes` shape. */
export interface ErrorCause {
  /** Path of the field, e.g. `spec.limits.memory`. */
  readonly field: string;
  /** What is wrong and what would be right. */
  readonly message: string;
  /** Kubernetes' cause reason, e.g. `FieldValueInvalid`, `FieldValueRequired`. */
  readonly reason: string;
}

/** Options of {@linkcode AppError}. */
export interface AppErrorOptions {
  /** The error that led to this one. */
  readonly cause?: unknown;
  /** The fields that failed, for code `Invalid`. */
  readonly causes?: readonly ErrorCause[];
  /** Seconds after which a retry may help (`TooManyRequests`, `ServiceUnavailable`). */
  readonly retryAfterSeconds?: number;
  /** What is wrong with this process's own state on disk, when that is what failed. */
  readonly state?: StateTrouble;
}

/**
 * What can be wrong with the state of a process. It decides whether starting the process again
 * can help: `in-use` may pass when another process ends, the others need a person.
 */
export type StateTrouble = "damaged" | "in-use" | "unusable";

/** What the system says of a path that stays as it is until a person mends it. */
const UNUSABLE = new Set(
  ["EROFS", "EACCES", "EPERM", "ENOTDIR", "EISDIR", "EEXIST", "ELOOP", "ENAMETOOLONG"],
);

/** What `error` says about the state on disk: by its own word, or as the system's refusal of a path. */
export function stateTrouble(error: unknown): StateTrouble | undefined {
  if (error instanceof AppError) return error.state;
  if (!(error instanceof Error)) return undefined;
  const { code, path } = error as { code?: unknown; path?: unknown };
  // Of a path, or it is about a socket: "Permission denied (os error 13): mkdir '/x'".
  const ofPath = path !== undefined || /: \w+ '/.test(error.message);
  return ofPath && typeof code === "string" && UNUSABLE.has(code) ? "unusable" : undefined;
}

/**
 * An error of Skerry's domain: something a caller may want to tell apart by {@linkcode code}.
 *
 * Misuse of a function is a `TypeError` or `RangeError` instead. The message says what happened,
 * to which object, and what to do.
 */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly causes: readonly ErrorCause[];
  readonly retryAfterSeconds: number | undefined;
  readonly state: StateTrouble | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.causes = options.causes ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.state = options.state;
  }
}

/** Whether `error` is an {@linkcode AppError} with one of `codes` (any code when none is given). */
export function isAppError(error: unknown, ...codes: ErrorCode[]): error is AppError {
  return error instanceof AppError && (codes.length === 0 || codes.includes(error.code));
}

/** The text of any thrown value, with the chain of causes, for logs and for people. */
export function errorText(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; depth < 5 && current !== undefined && current !== null; depth++) {
    const text = current instanceof Error ? current.message || current.name : String(current);
    // A message often holds that of its cause already.
    if (!parts.some((part) => part.includes(text))) parts.push(text);
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join(": ");
}
