import { AppError, type ErrorCode, isAppError } from "../base/mod.ts";
import { groupResource, type ResourceDef } from "../api/mod.ts";

/** Kubernetes' `metav1.Status`. */
export interface Status {
  readonly kind: "Status";
  readonly apiVersion: "v1";
  readonly metadata: Record<string, never>;
  readonly status: "Success" | "Failure";
  readonly message?: string;
  readonly reason?: string;
  readonly details?: StatusDetails;
  readonly code: number;
}

/** `Status.details`. */
export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly { reason: string; message: string; field: string }[];
  readonly retryAfterSeconds?: number;
}

/** What an error is about, for `details` and for Kubernetes' wording. */
export interface Subject {
  readonly resource?: ResourceDef;
  readonly name?: string;
}

/** The one table from Skerry's error codes to HTTP codes and Kubernetes' reasons. */
export const STATUS_OF: Readonly<Record<ErrorCode, readonly [code: number, reason: string]>> = {
  BadRequest: [400, "BadRequest"],
  Unauthorized: [401, "Unauthorized"],
  Forbidden: [403, "Forbidden"],
  NotFound: [404, "NotFound"],
  MethodNotAllowed: [405, "MethodNotAllowed"],
  AlreadyExists: [409, "AlreadyExists"],
  Conflict: [409, "Conflict"],
  Expired: [410, "Expired"],
  Invalid: [422, "Invalid"],
  RequestEntityTooLarge: [413, "RequestEntityTooLarge"],
  UnsupportedMediaType: [415, "UnsupportedMediaType"],
  TooManyRequests: [429, "TooManyRequests"],
  Timeout: [504, "Timeout"],
  ServiceUnavailable: [503, "ServiceUnavailable"],
  Unsupported: [501, "NotImplemented"],
  InternalError: [500, "InternalError"],
};

/**
 * The Status of any thrown value. What is no `AppError` becomes `InternalError` without its text,
 * which may hold what the client must not see; the caller logs it.
 */
export function statusOf(error: unknown, subject: Subject = {}): Status {
  const known = isAppError(error)
    ? error
    : new AppError("InternalError", "Internal error occurred: the server's log says more");
  const [code, reason] = STATUS_OF[known.code];
  const details = detailsOf(known, subject);
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: known.message,
    reason,
    ...(Object.keys(details).length > 0 ? { details } : {}),
    code,
  };
}

function detailsOf(error: AppError, { resource, name }: Subject): StatusDetails {
  // Kubernetes names the kind, not the plural, for Invalid; kubectl prints it.
  const kind = resource && (error.code === "Invalid" ? resource.kind : resource.plural);
  return {
    ...(name ? { name } : {}),
    ...(resource && resource.group !== "" ? { group: resource.group } : {}),
    ...(kind ? { kind } : {}),
    ...(error.causes.length > 0
      ? {
        causes: error.causes.map(({ reason, message, field }) => ({ reason, message, field })),
      }
      : {}),
    ...(error.retryAfterSeconds === undefined
      ? {}
      : { retryAfterSeconds: error.retryAfterSeconds }),
  };
}

/** The answer that carries an error. */
export function errorResponse(error: unknown, subject: Subject = {}): Response {
  const status = statusOf(error, subject);
  const headers = new Headers({ "content-type": "application/json" });
  if (status.details?.retryAfterSeconds !== undefined) {
    headers.set("retry-after", String(status.details.retryAfterSeconds));
  }
  if (status.code === 401) headers.set("www-authenticate", 'Bearer realm="skerry"');
  return new Response(JSON.stringify(status), { status: status.code, headers });
}

/**
 * An error of a container's log, as kubelets tell it: by plain text, as an API server shows the whole
 * body to who asked. Of an answer 503 or 504 it shows its own words alone, not which node is away;
 * of 500 it shows what is said here.
 */
export function logErrorResponse(error: unknown): Response {
  const { code } = statusOf(error);
  const text = isAppError(error) ? error.message : "whoever asked has left";
  return new Response(text, { status: code === 429 || code > 500 ? 500 : code });
}

/** The Status of a finished deletion. */
export function deletedStatus(resource: ResourceDef, name: string, uid?: string): Status {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: {
      name,
      ...(resource.group === "" ? {} : { group: resource.group }),
      kind: resource.plural,
      ...(uid === undefined ? {} : { uid }),
    },
    code: 200,
  };
}

/** `pods "x" not found`. */
export function notFound(resource: ResourceDef, name: string): AppError {
  return new AppError("NotFound", `${groupResource(resource)} "${name}" not found`);
}

/** A path that nothing serves, in Kubernetes' words. */
export function noSuchPath(): AppError {
  return new AppError("NotFound", "the server could not find the requested resource");
}

/** A method that a path does not take. */
export function methodNotAllowed(): AppError {
  return new AppError(
    "MethodNotAllowed",
    "the server does not allow this method on the requested resource",
  );
}
