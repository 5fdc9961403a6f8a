import { AppError, type ErrorCode } from "../base/mod.ts";

/** Kubernetes' reasons, and HTTP codes for answers that carry none. */
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
const CODES: Readonly<Record<number, ErrorCode>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  409: "Conflict",
  410: "Expired",
  413: "RequestEntityTooLarge",
  415: "UnsupportedMediaType",
  422: "Invalid",
  429: "TooManyRequests",
  504: "Timeout",
};

/** As much of `metav1.Status` as is read; nothing of it is trusted to be there. */
interface StatusLike {
  readonly code?: unknown;
  readonly reason?: unknown;
  readonly message?: unknown;
  readonly details?: {
    readonly causes?: unknown;
    readonly retryAfterSeconds?: unknown;
  } | null;
}

/**
 * The error that an API server's answer tells of. Pure. What is no `Status` (a proxy's page, a
 * truncated body) is judged by the HTTP code; codes from 500 count as the server being away.
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
  const reason = typeof status.reason === "string" ? REASONS[status.reason] : undefined;
  const known = reason ?? CODES[code] ?? (code >= 500 ? "ServiceUnavailable" : "InternalError");
  const said = typeof status.message === "string" && status.message !== ""
    ? status.message
    : `the API server answered ${code}`;
  const seconds = [status.details?.retryAfterSeconds, Number(retryAfter ?? Number.NaN)]
    .find((value) => typeof value === "number" && value >= 0 && value < 3600);
  return new AppError(known, `${said} (${what})`, {
    causes: causesOf(status.details?.causes),
    ...(typeof seconds === "number" ? { retryAfterSeconds: seconds } : {}),
  });
}

function causesOf(value: unknown) {
  if (!Array.isArray(value)) return [];
  return value.filter((one) => typeof one === "object" && one !== null).slice(0, 50).map((one) => ({
    field: String(one.field ?? ""),
    message: String(one.message ?? ""),
    reason: String(one.reason ?? ""),
  }));
}
