import assert from "node:assert/strict";
import type { KubeObject } from "../object.ts";
import { RESOURCES } from "../resources.ts";
import { validateObject } from "./mod.ts";

function fields(
  kind: "priorityclasses" | "runtimeclasses",
  name: string,
  object: Record<string, unknown>,
  old?: Record<string, unknown>,
): string[] {
  const whole = (part: Record<string, unknown>): KubeObject => ({
    ...part,
    metadata: { name },
  } as unknown as KubeObject);
  const problems = validateObject(RESOURCES[kind], whole(object), old && whole(old));
  return problems.map(({ field }) => field);
}

Deno.test("validateObject() keeps the system's priorities for the system", () => {
  const check = fields.bind(undefined, "priorityclasses");
  assert.deepEqual(check("mine", { value: 1_000_000_000 }), []);
  assert.deepEqual(check("mine", { value: 1_000_000_001 }), ["value"]);
  assert.deepEqual(check("mine", { value: 1.5, preemptionPolicy: "Maybe" }), [
    "value",
    "preemptionPolicy",
  ]);
  assert.deepEqual(check("system-mine", { value: 1 }), ["metadata.name"]);
  assert.deepEqual(check("mine", { value: 1 }, { value: 2 }), ["value"]);
});

Deno.test("validateObject() lets a RuntimeClass name one handler for good", () => {
  const check = fields.bind(undefined, "runtimeclasses");
  assert.deepEqual(check("kata", { handler: "kata-qemu" }), []);
  assert.deepEqual(check("kata", {}), ["handler"]);
  assert.deepEqual(check("kata", { handler: "Kata_X" }), ["handler"]);
  assert.deepEqual(check("kata", { handler: "a" }, { handler: "b" }), ["handler"]);
  assert.deepEqual(check("kata", { handler: "a", overhead: { podFixed: { cpu: "x" } } }), [
    "overhead.podFixed[cpu]",
  ]);
});
