import assert from "node:assert/strict";
import type { ErrorCode } from "../../../../core/base/mod.ts";
import { grpcError } from "./status.ts";

const CALL = { method: "Method", peer: "container runtime" };

const CASES: [status: string, message: string, code: ErrorCode][] = [
  ["1", "cancelled", "ServiceUnavailable"],
  ["2", "who knows", "InternalError"],
  ["2", 'name "a_b" is reserved for "0123"', "AlreadyExists"],
  ["2", "server is not initialized yet", "ServiceUnavailable"],
  ["3", "bad", "Invalid"],
  ["4", "late", "Timeout"],
  ["5", "gone", "NotFound"],
  ["6", "twice", "AlreadyExists"],
  ["7", "no", "Forbidden"],
  ["8", "full", "TooManyRequests"],
  ["9", "not so", "Conflict"],
  ["10", "not now", "Conflict"],
  ["12", "unknown method", "Unsupported"],
  ["13", "oops", "InternalError"],
  ["14", "away", "ServiceUnavailable"],
  ["16", "who are you", "Unauthorized"],
  ["99", "odd", "InternalError"],
  ["", "odd", "InternalError"],
  ["-1", "odd", "InternalError"],
];
for (const [status, message, code] of CASES) {
  Deno.test(`grpcError() makes status "${status}" (${message}) ${code}`, () => {
    const error = grpcError(CALL, status, encodeURIComponent(message));
    assert.equal(error?.code, code);
    assert.ok(error?.message.includes(message) && error.message.includes("Method"));
  });
}

Deno.test("grpcError() has nothing to say of status 0", () => {
  assert.equal(grpcError(CALL, "0", null), undefined);
});

Deno.test("grpcError() shows a badly encoded message as it came, and cuts a long one", () => {
  assert.ok(grpcError(CALL, "5", "100%")?.message.endsWith("100%"));
  assert.ok((grpcError(CALL, "5", "x".repeat(1e6))?.message.length ?? 0) < 5000);
});
