import assert from "node:assert/strict";
import { type ErrorCode, isAppError } from "../base/mod.ts";
import { readWatchLine } from "./watch_event.ts";

const what = "watch of pods";
const read = (event: unknown) => readWatchLine(JSON.stringify(event), what);
const pod = { kind: "Pod", metadata: { name: "a", resourceVersion: "7", managedFields: [{}] } };

Deno.test("readWatchLine() gives the object without managedFields, frozen, and its version", () => {
  for (const type of ["ADDED", "MODIFIED", "DELETED"]) {
    const event = read({ type, object: pod });
    assert.deepEqual(event, {
      type,
      resourceVersion: "7",
      object: { kind: "Pod", metadata: { name: "a", resourceVersion: "7" } },
    });
    assert.ok("object" in event && Object.isFrozen(event.object.metadata));
  }
});

Deno.test("readWatchLine() reads a bookmark, which has a version and no name", () => {
  const object = { kind: "Pod", metadata: { resourceVersion: "9", creationTimestamp: null } };
  assert.deepEqual(read({ type: "BOOKMARK", object }), { type: "BOOKMARK", resourceVersion: "9" });
});

Deno.test.each<[string, unknown, ErrorCode]>([
  ["410", { kind: "Status", code: 410, reason: "Expired", message: "too old" }, "Expired"],
  ["410 without a reason", { kind: "Status", code: 410 }, "Expired"],
  ["500", { kind: "Status", code: 500, reason: "InternalError" }, "InternalError"],
  ["504", { kind: "Status", code: 504 }, "Timeout"],
  ["nothing", null, "ServiceUnavailable"],
  ["rubbish", { code: "x" }, "ServiceUnavailable"],
])("readWatchLine() throws what an ERROR event tells: %s", (_, object, code) => {
  assert.throws(() => read({ type: "ERROR", object }), (error) => isAppError(error, code));
});

Deno.test.each([
  "{",
  "null",
  "7",
  '"ADDED"',
  "[]",
  "{}",
  '{"type":"ADDED"}',
  '{"type":"ADDED","object":null}',
  '{"type":"ADDED","object":{}}',
  '{"type":"ADDED","object":{"metadata":{"name":"a"}}}',
  '{"type":"ADDED","object":{"metadata":{"resourceVersion":7}}}',
  '{"type":"BOOKMARK","object":{"metadata":null}}',
  '{"type":"SURPRISE","object":{"metadata":{"resourceVersion":"7"}}}',
  '{"type":{},"object":{"metadata":{"resourceVersion":"7"}}}',
  '{"type":"ADDED","object":{"metadata":{"resourceVersion":"7x"}}}',
  '{"type":"ADDED","object":{"metadata":{"resourceVersion":"7"}}}',
])("readWatchLine() of rubbish is an error that can be tried again: %s", (line) => {
  assert.throws(
    () => readWatchLine(line, what),
    (error) => isAppError(error, "ServiceUnavailable") && error.message.includes(what),
  );
});
