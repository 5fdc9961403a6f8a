import { errorText, hostAndPort, type Ms } from "../../../core/base/mod.ts";
import { goDuration } from "../policy/go_duration.ts";
import { USER_AGENT } from "./http_get.ts";
import type { ProbeOutcome } from "./outcome.ts";
import type { Endpoint } from "./connection.ts";

/** `grpc.health.v1.HealthCheckResponse.ServingStatus`. */
const STATUS = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"] as const;
const UNIMPLEMENTED = "12";
const DEADLINE_EXCEEDED = "4";
/** The answer is a frame of seven bytes. */
const ANSWER_CAP = 1024;

/** Options of {@linkcode grpcProbe}. */
export interface GrpcProbeOptions {
  /** Speaks HTTP/2 without TLS and keeps no connection. */
  readonly client: Deno.HttpClient;
  readonly timeout: Ms;
  readonly signal: AbortSignal;
}

/**
 * Asks `grpc.health.v1.Health/Check` for a service (empty: the whole server). Throws when `signal`
 * aborts.
 */
export async function grpcProbe(
  to: Endpoint,
  service: string,
  options: GrpcProbeOptions,
): Promise<ProbeOutcome> {
  const { client, timeout, signal } = options;
  const address = hostAndPort(to.hostname, to.port);
  try {
    const response = await fetch(`http://${address}/grpc.health.v1.Health/Check`, {
      method: "POST",
      client,
      headers: {
        "content-type": "application/grpc",
        "user-agent": USER_AGENT,
        te: "trailers",
        "grpc-timeout": `${Math.min(Math.ceil(timeout), 99_999_999)}m`,
      },
      body: checkRequest(service),
      redirect: "manual",
      signal,
    });
    const body = await readSome(response);
    const problem = refusal(response, timeout);
    if (problem !== undefined) return { result: "failure", output: problem };
    const status = servingStatus(body);
    return status === "SERVING"
      ? { result: "success", output: "service healthy" }
      : { result: "failure", output: `service unhealthy (responded with "${status}")` };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Deno.errors.NotCapable) throw error;
    const why = errorText(error);
    return {
      result: "failure",
      output: `error: failed to connect service at "${address}": ${why}`,
    };
  }
}

/** What a probe of `address` says when it was too late. */
export function grpcLate({ hostname, port }: Endpoint, timeout: Ms): string {
  const address = JSON.stringify(hostAndPort(hostname, port));
  const span = goDuration(timeout);
  return `timeout: failed to connect service ${address} within ${span}: context deadline exceeded`;
}

/** `HealthCheckRequest { string service = 1; }` as one gRPC frame. */
function checkRequest(service: string): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(service);
  const field = name.length === 0 ? [] : [0x0a, ...varint(name.length), ...name];
  return Uint8Array.from([0, ...bigEndian(field.length), ...field]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

function bigEndian(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

/** What the peer's gRPC status says, when it is a refusal; `fetch` shows one that came alone. */
function refusal(response: Response, timeout: Ms): string | undefined {
  const type = response.headers.get("content-type") ?? "none";
  const code = response.headers.get("grpc-status");
  const message = response.headers.get("grpc-message") ?? "";
  if (response.status !== 200 || !type.startsWith("application/grpc")) {
    return `error: health rpc probe failed: unexpected HTTP status ${response.status} and ` +
      `content type ${JSON.stringify(type)}`;
  }
  if (code === null || code === "0") return undefined;
  if (code === UNIMPLEMENTED) {
    return "error: this server does not implement the grpc health protocol " +
      `(grpc.health.v1.Health): ${message}`;
  }
  if (code === DEADLINE_EXCEEDED) {
    return `timeout: health rpc did not complete within ${goDuration(timeout)}`;
  }
  return `error: health rpc probe failed: rpc error: code = ${code} desc = ${message}`;
}

/** `HealthCheckResponse { ServingStatus status = 1; }` from one frame; absent fields are zero. */
function servingStatus(frame: Uint8Array): string {
  // Compression flag, length in four bytes, then the field's tag and its value.
  if (frame.length < 5 || frame[0] !== 0) return "no answer";
  const value = frame[5] === 0x08 ? frame[6] ?? 0 : 0;
  return STATUS[value] ?? String(value);
}

/** The first bytes of a body; the rest is not asked for. */
async function readSome(response: Response): Promise<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return new Uint8Array();
  let all = new Uint8Array();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const next = new Uint8Array(all.length + part.value.length);
      next.set(all);
      next.set(part.value, all.length);
      all = next;
      if (all.length > ANSWER_CAP) break;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
  return all;
}
