import { AppError } from "../base/mod.ts";
import type { Limits } from "./types.ts";

/** A JSON object, as a request carries it. */
// deno-lint-ignore no-explicit-any -- what clients send; validation narrows it
export type JsonObject = Record<string, any>;

/**
 * Reads a request's body, never holding more than `limits.bodyBytes`.
 * @throws {AppError} RequestEntityTooLarge, UnsupportedMediaType when it is compressed
 */
export async function readBytes(
  request: Request,
  limits: Pick<Limits, "bodyBytes">,
): Promise<Uint8Array> {
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity") {
    throw new AppError(
      "UnsupportedMediaType",
      `Content-Encoding ${encoding} is not taken: send the body uncompressed`,
    );
  }
  const declared = Number(request.headers.get("content-length") ?? "0");
  if (declared > limits.bodyBytes) {
    throw tooLarge(limits);
  }
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    if (size > limits.bodyBytes) throw tooLarge(limits);
    chunks.push(chunk);
  }
  return concat(chunks, size);
}

function tooLarge(limits: Pick<Limits, "bodyBytes">): AppError {
  return new AppError(
    "RequestEntityTooLarge",
    `Request entity is too large: limit is ${limits.bodyBytes} bytes`,
  );
}

function concat(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.byteLength;
  }
  return all;
}

/**
 * Reads a request's body as text.
 * @throws {AppError} as {@linkcode readBytes}; BadRequest when it is no UTF-8
 */
export async function readBody(request: Request, limits: Limits): Promise<string> {
  const bytes = await readBytes(request, limits);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AppError("BadRequest", "the body is not valid UTF-8", { cause });
  }
}

const JSON_TYPES = new Set(["application/json", "text/json", ""]);
const PROTOBUF = "application/vnd.kubernetes.protobuf";

/** The media type of a request without parameters, in lower case. */
export function mediaType(request: Request): string {
  return (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
}

/**
 * Reads a request's body, JSON or Kubernetes' protobuf, as a JSON object; an absent body is `undefined`.
 * @throws {AppError} as {@linkcode readBody} and {@linkcode parseJson}
 */
export async function readJson(
  request: Request,
  limits: Limits,
): Promise<JsonObject | undefined> {
  const type = mediaType(request);
  if (type === PROTOBUF) {
    // kubectl's create verbs send it; loaded when the first one does.
    const { decodeKubeProtobuf } = await import("../api/schema/mod.ts");
    const bytes = await readBytes(request, limits);
    return bytes.length === 0 ? undefined : decodeKubeProtobuf(bytes);
  }
  if (request.body !== null && !JSON_TYPES.has(type)) {
    throw new AppError(
      "UnsupportedMediaType",
      `the body of the request was in an unknown format - accepted media types include: ` +
        `application/json, ${PROTOBUF} (got ${type})`,
    );
  }
  const text = await readBody(request, limits);
  if (text.trim() === "") return undefined;
  const value = parseJson(text, limits);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new AppError("BadRequest", "the body must be one JSON object");
  }
  return value as JsonObject;
}

/**
 * Parses JSON after counting its nesting, so that no later recursion can run out of stack, and
 * refuses keys named `__proto__`, which no Kubernetes object has.
 * @throws {AppError} BadRequest
 */
export function parseJson(text: string, limits: Pick<Limits, "jsonDepth">): unknown {
  const depth = nesting(text);
  if (depth > limits.jsonDepth) {
    throw new AppError(
      "BadRequest",
      `the body is nested ${depth} levels deep: the limit is ${limits.jsonDepth}`,
    );
  }
  try {
    return text.includes("__proto__") ? JSON.parse(text, refuseProto) : JSON.parse(text);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AppError("BadRequest", `the body is not valid JSON: ${why}`, { cause });
  }
}

function refuseProto(key: string, value: unknown): unknown {
  if (key === "__proto__") {
    throw new AppError("BadRequest", 'the key "__proto__" is not allowed: remove it');
  }
  return value;
}

/** The deepest nesting of arrays and objects in a JSON text, found without parsing it. */
export function nesting(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) {
      for (i++; i < text.length && text.charCodeAt(i) !== 0x22; i++) {
        if (text.charCodeAt(i) === 0x5c) i++;
      }
    } else if (code === 0x5b || code === 0x7b) {
      if (++depth > deepest) deepest = depth;
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return deepest;
}
