import assert from "node:assert/strict";
import { AppError } from "../base/mod.ts";
import { errorOfAnswer, isAway, isDenied, isUnreachable } from "./errors.ts";

const what = "GET /api/v1/pods";
const status = (fields: Record<string, unknown>) => ({
  kind: "Status",
  apiVersion: "v1",
  ...fields,
});

Deno.test.each([
  ["its reason", 404, status({ reason: "NotFound" }), "NotFound"],
  ["its reason before its code", 500, status({ reason: "ServerTimeout" }), "Timeout"],
  ["409 of two kinds", 409, status({ reason: "AlreadyExists" }), "AlreadyExists"],
  ["Gone", 410, status({ reason: "Gone" }), "Expired"],
  ["its code, for an unknown reason", 409, status({ reason: "StrangeNew" }), "Conflict"],
  ["its code, for no reason", 403, status({}), "Forbidden"],
  ["InternalError for an unknown code", 418, status({}), "InternalError"],
  ["InternalError by its reason", 500, status({ reason: "InternalError" }), "InternalError"],
  ["the server being away from 500 on", 502, status({}), "ServiceUnavailable"],
])("errorOfAnswer() judges a Status by %s", (_, code, body, expected) => {
  assert.equal(errorOfAnswer(what, code, body).code, expected);
});

Deno.test.each([
  [401, "Unauthorized"],
  [410, "Expired"],
  [413, "RequestEntityTooLarge"],
  [429, "TooManyRequests"],
  [504, "Timeout"],
  [302, "ServiceUnavailable"],
  [400, "ServiceUnavailable"],
  [403, "ServiceUnavailable"],
  [404, "ServiceUnavailable"],
  [409, "ServiceUnavailable"],
  [500, "ServiceUnavailable"],
  [503, "ServiceUnavailable"],
])("errorOfAnswer() of %i without a Status never says that an object is gone", (code, expected) => {
  for (const body of [undefined, null, "404 page not found", [], 7, { reason: "NotFound" }]) {
    assert.equal(errorOfAnswer(what, code, body).code, expected, JSON.stringify(body));
  }
});

Deno.test("errorOfAnswer() names the request and what the server said", () => {
  const message = 'pods "x" not found';
  assert.equal(errorOfAnswer(what, 404, status({ message })).message, `${message} (${what})`);
  assert.match(errorOfAnswer(what, 404, undefined).message, /answered 404.*proxy.*\(GET \/api/);
});

Deno.test("errorOfAnswer() takes the fields that are wrong, and leaves out rubbish", () => {
  const causes = [
    { field: "spec.x", message: "too big", reason: "FieldValueInvalid" },
    null,
    3,
    {},
  ];
  const { code, causes: found } = errorOfAnswer(
    what,
    422,
    status({ reason: "Invalid", details: { causes } }),
  );
  assert.equal(code, "Invalid");
  assert.deepEqual(found, [causes[0], { field: "", message: "", reason: "" }]);
  assert.deepEqual(errorOfAnswer(what, 422, status({ details: { causes: "no" } })).causes, []);
});

Deno.test.each([
  ["details", status({ details: { retryAfterSeconds: 7 } }), "3", 7],
  ["the header", undefined, "3", 3],
  ["the header 0", undefined, "0", 0],
  ["no header", undefined, null, undefined],
  ["an empty header", undefined, "", undefined],
  ["a date", undefined, "Wed, 21 Oct 2026 07:28:00 GMT", undefined],
  ["a negative", undefined, "-1", undefined],
  ["more than an hour", status({ details: { retryAfterSeconds: 1e9 } }), null, undefined],
])("errorOfAnswer() reads when to come again: %s", (_, body, header, expected) => {
  assert.equal(errorOfAnswer(what, 429, body, header).retryAfterSeconds, expected);
});

Deno.test("isDenied() tells what an API server refuses from what a rule of ours does", () => {
  assert.equal(isDenied(errorOfAnswer(what, 403, status({ reason: "Forbidden" }))), true);
  assert.equal(isDenied(errorOfAnswer(what, 404, status({ reason: "NotFound" }))), false);
  assert.equal(isDenied(new AppError("Forbidden", "it is another node's")), false);
});

Deno.test("isUnreachable() tells silence from an answer, a time-out of the server's own among them", () => {
  const cause = new TypeError("refused");
  assert.equal(isUnreachable(new AppError("ServiceUnavailable", "no way", { cause })), true);
  assert.equal(isUnreachable(new AppError("Timeout", "no answer in 30 s")), true);
  assert.equal(isUnreachable(errorOfAnswer(what, 504, status({ reason: "Timeout" }))), false);
  assert.equal(isUnreachable(errorOfAnswer(what, 503, status({}))), false);
  assert.equal(isUnreachable(new Error("Timeout")), false);
});

Deno.test.each([
  [500, status({ reason: "InternalError" }), false],
  [500, status({}), false],
  [500, "a proxy's page", true],
  [599, undefined, true],
  [502, status({}), true],
  [503, status({ reason: "ServiceUnavailable" }), true],
  [504, status({ reason: "Timeout" }), true],
  [429, undefined, false],
  [404, undefined, false],
])(
  "isAway() tells a server that cannot answer from its word on what was asked: %i %j",
  (code, body, expected) => {
    assert.equal(isAway(errorOfAnswer(what, code, body)), expected);
  },
);
