import { AppError, type ErrorCode } from "../../../../core/base/mod.ts";

/** The gRPC status codes, from the specification's `statuscodes` table, as our own error codes. */
const CODES: readonly { readonly name: string; readonly code: ErrorCode }[] = [
  { name: "OK", code: "InternalError" },
  { name: "Cancelled", code: "ServiceUnavailable" },
  { name: "Unknown", code: "InternalError" },
  { name: "InvalidArgument", code: "Invalid" },
  { name: "DeadlineExceeded", code: "Timeout" },
  { name: "NotFound", code: "NotFound" },
  { name: "AlreadyExists", code: "AlreadyExists" },
  { name: "PermissionDenied", code: "Forbidden" },
  { name: "ResourceExhausted", code: "TooManyRequests" },
  { name: "FailedPrecondition", code: "Conflict" },
  { name: "Aborted", code: "Conflict" },
  { name: "OutOfRange", code: "Invalid" },
  { name: "Unimplemented", code: "Unsupported" },
  { name: "Internal", code: "InternalError" },
  { name: "Unavailable", code: "ServiceUnavailable" },
  { name: "DataLoss", code: "InternalError" },
  { name: "Unauthenticated", code: "Unauthorized" },
];

/**
 * containerd answers `Unknown` for things that have a code of their own; its words tell. It reserves a
 * name for each sandbox and container.
 */
const WORDS: readonly { readonly text: RegExp; readonly code: ErrorCode }[] = [
  { text: /is reserved for/, code: "AlreadyExists" },
  { text: /server is not initialized yet/, code: "ServiceUnavailable" },
];

/** Peers' texts go into statuses and logs: longer ones are cut. */
const MAX_MESSAGE = 4096;

/**
 * The error for a `call` that its peer answered with gRPC `status` (a decimal number as text) and
 * percent-encoded `message`; `undefined` when the status is OK.
 */
export function grpcError(
  call: { readonly method: string; readonly peer: string },
  status: string,
  message: string | null,
): AppError | undefined {
  if (status === "0") return undefined;
  const entry = /^\d{1,2}$/.test(status) ? CODES[Number(status)] : undefined;
  const text = decodeMessage(message ?? "").slice(0, MAX_MESSAGE);
  const code = entry?.code ?? "InternalError";
  const unclear = code === "InternalError";
  const better = unclear ? WORDS.find((word) => word.text.test(text))?.code : undefined;
  return new AppError(
    better ?? code,
    `The ${call.peer} answered ${call.method} with ${entry?.name ?? `status ${status}`}: ${text}`,
  );
}

/** `grpc-message` is percent-encoded UTF-8; a peer that encodes badly is shown as it wrote. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
