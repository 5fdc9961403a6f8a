import { AppError, type ErrorCode, isAppError } from "../base/mod.ts";

/** Kubernetes' reasons. */
const REASONS: Readonly<Record<string, ErrorCode>> = {
  BadRequest: "BadRequest",
  Unauthorized: "Unauthorized",
  Forbidden: "Forbidden",
  NotFound: "NotFound",
  MethodNotAllowed: "MethodNotAllowed",
  AlreadyExists: "AlreadyExists",
  Conflict: "Conflict",
  Expired: "Expired",
  Gone: "Expired",
  Invalid: "Invalid",
  RequestEntityTooLarge: "RequestEntityTooLarge",
  UnsupportedMediaType: "UnsupportedMediaType",
  TooManyRequests: "TooManyRequests",
  Timeout: "Timeout",
  ServerTimeout: "Timeout",
  ServiceUnavailable: "ServiceUnavailable",
  InternalError: "InternalError",
};
/**
 * What counts by its code alone. No 404: a proxy's page must not say that an object is gone, as what
 * is gone at the server is stopped at the edge; and no other that would end a watch for good.
 */
const CODES: Readonly<Record<number, ErrorCode>> = {
  401: "Unauthorized",
  410: "Expired",
  413: "RequestEntityTooLarge",
  429: "TooManyRequests",
  504: "Timeout",
};
const STATUS_CODES: Readonly<Record<number, ErrorCode>> = {
  ...CODES,
  400: "BadRequest",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  409: "Conflict",
  415: "UnsupportedMediaType",
  422: "Invalid",
};

/** As much of `metav1.Status` as is read; nothing of it is trusted to be there. */
interface StatusLike {
  readonly kind?: unknown;
  readonly code?: unknown;
  readonly reason?: unknown;
  readonly message?: unknown;
  readonly details?: {
    readonly causes?: unknown;
    readonly retryAfterSeconds?: unknown;
  } | null;
}

/**
 * The error that an API server's answer tells of. Pure. A `Status` is judged by its reason, else by
 * the HTTP code. What is none (a proxy's page, a path that is not served, a body that broke off) says
 * nothing of any object, and counts as the server being away unless the code is of {@linkcode CODES}.
 *
 * @param what the request, for the message, e.g. `GET /api/v1/pods`
 */
export function errorOfAnswer(
  what: string,
  code: number,
  body: unknown,
  retryAfter: string | null = null,
): AppError {
  const status: StatusLike = typeof body === "object" && body !== null ? body : {};
  const isStatus = status.kind === "Status";
  const reason = isStatus && typeof status.reason === "string" ? REASONS[status.reason] : undefined;
  const byCode = (isStatus ? STATUS_CODES : CODES)[code];
  const known = reason ?? byCode ??
    (isStatus && code < 500 ? "InternalError" : "ServiceUnavailable");
  const said = isStatus && typeof status.message === "string" && status.message !== ""
    ? status.message
    : `the API server answered ${code}` + (isStatus || byCode ? "" : NO_STATUS);
  const seconds = [status.details?.retryAfterSeconds, retryAfter ? Number(retryAfter) : undefined]
    .find((value) => typeof value === "number" && value >= 0 && value < 3600);
  const help = known === "Unauthorized" ? NOT_KNOWN : "";
  const error = new AppError(known, `${said} (${what})${help}`, {
    causes: causesOf(status.details?.causes),
    ...(typeof seconds === "number" ? { retryAfterSeconds: seconds } : {}),
  });
  answers.add(error);
  if (AWAY.includes(code) || (code >= 500 && !isStatus)) away.add(error);
  return error;
}

/** Codes by which a server, or a proxy in front of it, says that it cannot answer now. */
const AWAY: readonly number[] = [502, 503, 504];
/** The errors of answers that come of a server that is away. */
const away = new WeakSet<Error>();

/**
 * Whether an error is of an answer that says that the server cannot answer now. A `Status` of another
 * code is the server's own word on what was asked: e.g. 500 when a webhook fails.
 */
export function isAway(error: Error): boolean {
  return away.has(error);
}

/** The errors that an API server's answers told of. */
const answers = new WeakSet<Error>();

/**
 * Whether an API server refused what was asked, by its rights or by a policy that somebody put
 * there: not a rule of ours, which stays what it is, so that the same may be let in later.
 */
export function isDenied(error: unknown): boolean {
  return isAppError(error, "Forbidden") && answers.has(error);
}

const NOT_KNOWN = ": the credential of this process is not accepted: it has expired, or it is of " +
  "another cluster";
const NO_STATUS = ", and not as Kubernetes does: is this kind served, is a proxy in front of it?";

function causesOf(value: unknown) {
  if (!Array.isArray(value)) return [];
  return value.filter((one) => typeof one === "object" && one !== null).slice(0, 50).map((one) => ({
    field: String(one.field ?? ""),
    message: String(one.message ?? ""),
    reason: String(one.reason ?? ""),
  }));
}

/**
 * Whether no answer came: no connection did, or the server was silent until the client's time was up.
 * Nothing is known to be wrong with what was asked, and whatever else is asked may fail the same way.
 */
export function isUnreachable(error: unknown): boolean {
  // A time-out that an answer told of is the server's own.
  if (isAppError(error, "Timeout")) return !answers.has(error);
  return isAppError(error, "ServiceUnavailable") && error.cause instanceof TypeError;
}
