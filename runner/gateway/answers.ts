import type { InvokeFailure } from "../engine/mod.ts";
import type { CallResult } from "../pool/mod.ts";
import type { BodyRefusal } from "./body_reader.ts";
import { causeOf } from "./failures.ts";

/** Why the gateway answers by itself. These words are API: docs/guest-abi.md lists them. */
export type GatewayReason =
  | "NoSuchFunction"
  | "MethodNotAllowed"
  | BodyRefusal
  | "TooManyRequests"
  | "NotServing"
  | InvokeFailure
  | "InternalError";

/** An answer of the gateway itself. */
export interface GatewayError {
  readonly status: number;
  readonly reason: GatewayReason;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const STATUS: Readonly<Record<InvokeFailure, number>> = {
  Timeout: 504,
  Trap: 502,
  BadResponse: 502,
  OutputTooLarge: 502,
  Exhausted: 503,
};

/** The HTTP response of a {@linkcode GatewayError}: `{"error": {"reason", "message"}}`. */
export function errorResponse(error: GatewayError): Response {
  const body = JSON.stringify({ error: { reason: error.reason, message: error.message } });
  return new Response(`${body}\n`, {
    status: error.status,
    headers: { "content-type": "application/json", ...error.headers },
  });
}

/** The gateway's answer to a request whose body was not read to its end. */
export function bodyRefused(name: string, refusal: BodyRefusal, cap: number): GatewayError {
  // What is left of the body would be read as the next request of the connection.
  const headers = { connection: "close" };
  switch (refusal) {
    case "BodyTooLarge":
      return {
        ...{ status: 413, reason: refusal, headers },
        message: `the body is larger than the ${cap} bytes that ${name} takes (maxBodyBytes)`,
      };
    case "BodyTimeout":
      return {
        ...{ status: 408, reason: refusal, headers },
        message: `the body for ${name} came too slowly: send it without pauses`,
      };
    case "NodeBusy":
      return {
        ...{ status: 503, reason: refusal, headers: { ...headers, "retry-after": "1" } },
        message: `this node holds as many bodies as it has room for: try again`,
      };
  }
}

/** The gateway's answer when a call gave none; `undefined` when it did. */
export function failureOf(name: string, result: CallResult): GatewayError | undefined {
  if ("refused" in result) {
    return result.refused === "NodeBusy"
      ? {
        status: 503,
        reason: "NodeBusy",
        message: `function ${name} waited too long for a processor: this node is busy`,
        headers: { "retry-after": "1" },
      }
      : {
        status: 429,
        reason: "TooManyRequests",
        message: `function ${name} is at its limits of calls at once and calls that wait: ` +
          `try again, or raise spec.limits.concurrency and spec.limits.queue`,
        headers: { "retry-after": "1" },
      };
  }
  if (result.ok) return undefined;
  return {
    status: STATUS[result.failure],
    reason: result.failure,
    message: `function ${name}: ${causeOf(result.message)}`,
    ...(result.failure === "Exhausted" ? { headers: { "retry-after": "1" } } : {}),
  };
}
