import { type ErrorCode, errorText, isAppError } from "../../../core/base/mod.ts";
import { joinBytes } from "../../../core/wire/mod.ts";
import { encodeHttp2Frame, FLAG, FRAME } from "./frames.ts";

const ENCODER = new TextEncoder();

/**
 * A header block with every header as a literal that is not indexed (RFC 7541, section 6.2.2):
 * valid whatever the peer's table is, and nothing has to be remembered.
 */
export function literalHeaders(headers: readonly (readonly [string, string])[]): Uint8Array {
  return joinBytes(headers.flatMap(([name, value]) => [
    Uint8Array.of(0),
    literal(name),
    literal(value),
  ]));
}

function literal(text: string): Uint8Array {
  const bytes = ENCODER.encode(text);
  return joinBytes([integer(bytes.length), bytes]);
}

/** An integer with a prefix of seven bits (RFC 7541, section 5.1). */
function integer(value: number): Uint8Array {
  if (value < 127) return Uint8Array.of(value);
  const out = [127];
  let left = value - 127;
  for (; left >= 128; left >>= 7) out.push((left & 127) | 128);
  return Uint8Array.of(...out, left);
}

const HEAD = [[":status", "200"], ["content-type", "application/grpc"]] as const;
/** The gRPC frame of a message without fields. */
const EMPTY_MESSAGE = new Uint8Array(5);

/** The answer of a call that went well: a message without fields. */
export function emptyAnswer(stream: number): Uint8Array {
  return joinBytes([
    headers(stream, FLAG.endHeaders, HEAD),
    encodeHttp2Frame({ type: FRAME.data, flags: 0, stream, payload: EMPTY_MESSAGE }),
    headers(stream, FLAG.endHeaders | FLAG.endStream, [["grpc-status", "0"]]),
  ]);
}

/** The answer of a call that failed: gRPC's trailers alone. */
export function errorAnswer(stream: number, status: number, message: string): Uint8Array {
  return headers(stream, FLAG.endHeaders | FLAG.endStream, [
    ...HEAD,
    ["grpc-status", String(status)],
    ["grpc-message", percentEncode(message.slice(0, MAX_MESSAGE))],
  ]);
}

/** In UTF-16 units; even when each takes nine bytes, the block fits one frame. */
const MAX_MESSAGE = 1024;

function headers(
  stream: number,
  flags: number,
  list: readonly (readonly [string, string])[],
): Uint8Array {
  return encodeHttp2Frame({ type: FRAME.headers, flags, stream, payload: literalHeaders(list) });
}

/** `grpc-message`: what is not printable ASCII, and the percent sign, are percent-encoded. */
function percentEncode(text: string): string {
  const printable = (byte: number): boolean => byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
  return [...ENCODER.encode(text)].map((byte) =>
    printable(byte)
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
  ).join("");
}

/** gRPC's codes of our errors; what is not here is `Unknown`, as a Go server's plain errors are. */
const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  BadRequest: 3,
  Invalid: 3,
  Timeout: 4,
  NotFound: 5,
  AlreadyExists: 6,
  RequestEntityTooLarge: 8,
  TooManyRequests: 8,
  Unsupported: 12,
  ServiceUnavailable: 14,
};

/** The gRPC status and message that tell of `error`. */
export function statusOf(error: unknown): { status: number; message: string } {
  return {
    status: (isAppError(error) ? STATUS[error.code] : undefined) ?? 2,
    message: errorText(error),
  };
}
