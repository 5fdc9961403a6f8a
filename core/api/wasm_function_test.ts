import assert from "node:assert/strict";
import { ms } from "../base/mod.ts";
import {
  parseWasmFunction,
  resolveWasmLimits,
  resolveWasmTriggers,
  validateWasmFunction,
  type WasmFunction,
  wasmFunctionMatchesNode,
} from "./wasm_function.ts";
import { mergeWasmStatus } from "./wasm_status.ts";
import { parseByteSize, parseSpan } from "./wasm_units.ts";

function fn(spec: Record<string, unknown>): WasmFunction {
  return {
    apiVersion: "skerry.dev/v1alpha1",
    kind: "WasmFunction",
    metadata: { name: "f", namespace: "ns", generation: 2 },
    spec: { source: { file: "f.wasm" }, ...spec } as WasmFunction["spec"],
  };
}

const BAD: readonly [Record<string, unknown>, string, RegExp][] = [
  [{ source: undefined }, "spec.source", /source/],
  [{ source: {} }, "spec.source", /exactly one of file, configMapRef, http/],
  [
    { source: { file: "a", configMapRef: { name: "a", key: "b" } } },
    "spec.source",
    /exactly one/,
  ],
  [{ source: { oci: { ref: "x" } } }, "spec.source.oci", /not served yet; use one of file/],
  [{ source: { file: "/etc/passwd" } }, "spec.source.file", /below the node's module folder/],
  [{ source: { file: "a/../../b" } }, "spec.source.file", /without "\.\."/],
  [
    { source: { http: { url: "ftp://x/", sha256: "a".repeat(64) } } },
    "spec.source.http.url",
    /http or https/,
  ],
  [
    { source: { http: { url: "https://x/", sha256: "abc" } } },
    "spec.source.http.sha256",
    /64 lower-case hex digits/,
  ],
  [{ abi: "wasm" }, "spec.abi", /"auto", "skerry-core-v1" or "wasi-command"/],
  [{ triggers: [] }, "spec.triggers", /at least one trigger/],
  [{ triggers: [{ mqtt: {} }] }, "spec.triggers[0].mqtt", /not served yet; use http/],
  [{ triggers: [{ http: { path: "a" } }] }, "spec.triggers[0].http.path", /must begin with "\/"/],
  [
    { triggers: [{ http: { methods: ["FETCH"] } }] },
    "spec.triggers[0].http.methods[0]",
    /must be some of GET/,
  ],
  [{ env: [{ name: "1A" }] }, "spec.env[0].name", /variable name/],
  [{ env: [{ name: "A", valueFrom: {} }] }, "spec.env[0].valueFrom", /not served yet/],
  [{ limits: { memory: "lots" } }, "spec.limits.memory", /a size from 65536 to/],
  [{ limits: { memry: "5Mi" } }, "spec.limits.memry", /no such field/],
  [{ bogus: 1, limit: {} }, "spec.limit", /no such field/],
  [{ triggers: [{ http: { pth: "/a" } }] }, "spec.triggers[0].http.pth", /no such field/],
  [{ limits: { timeout: 5 } }, "spec.limits.timeout", /timeout/],
  [{ limits: { timeout: "11m" } }, "spec.limits.timeout", /a time from 1ms to 600s/],
  [{ limits: { concurrency: 0 } }, "spec.limits.concurrency", /concurrency|>=1/],
];

for (const [spec, field, message] of BAD) {
  Deno.test(`validateWasmFunction() names ${field} and the fix for ${JSON.stringify(spec)}`, () => {
    const causes = validateWasmFunction(fn(spec));
    const found = causes.find((cause) => cause.field === field);
    assert.ok(found, JSON.stringify(causes));
    assert.match(found.message, message);
    assert.throws(() => parseWasmFunction(fn(spec)), /WasmFunction f is invalid: spec/);
  });
}

Deno.test("a minimal function is valid and gets its defaults", () => {
  assert.deepEqual(validateWasmFunction(fn({})), []);
  assert.deepEqual(resolveWasmLimits(fn({}).spec), {
    ...{ memoryBytes: 16 * 2 ** 20, timeoutMs: 5000, outputBytes: 2 ** 20 },
    ...{ concurrency: 8, queue: 64 },
  });
  assert.deepEqual(resolveWasmTriggers(fn({})), [
    { path: "/ns/f", methods: [], maxBodyBytes: 2 ** 20 },
  ]);
  const [trigger] = resolveWasmTriggers(fn({ triggers: [{ http: { path: "/a/" } }] }));
  assert.equal(trigger?.path, "/a");
});

Deno.test("wasmFunctionMatchesNode() wants the name and every label", () => {
  const node = { name: "n1", labels: { zone: "a" } };
  assert.equal(wasmFunctionMatchesNode(fn({}), node), true);
  const placed = (placement: unknown): boolean => wasmFunctionMatchesNode(fn({ placement }), node);
  assert.equal(placed({ nodeNames: ["n2"] }), false);
  assert.equal(placed({ nodeNames: ["n1"], nodeSelector: { zone: "a" } }), true);
  assert.equal(placed({ nodeSelector: { zone: "b" } }), false);
  assert.equal(placed({ nodeNames: [], nodeSelector: {} }), true);
});

Deno.test("mergeWasmStatus() replaces one node's entry, sums counters and keeps the transition time", () => {
  const counters = { requests: 1, errors: 0, timeouts: 0, traps: 0, rejected: 0 };
  const ready = { ready: true, reason: "Serving" as const, invocations: counters };
  const object = fn({});
  const at = (now: number) => ({ now: ms(now) });
  object.status = mergeWasmStatus(object, { node: "a", report: { name: "a", ...ready } }, at(0));
  assert.equal(object.status.conditions?.[0]?.status, "True");
  object.status = mergeWasmStatus(object, { node: "b", report: { name: "b", ...ready } }, at(9000));
  assert.equal(object.status.readyNodes, 2);
  assert.equal(object.status.invocations?.requests, 2);
  assert.equal(object.status.conditions?.[0]?.lastTransitionTime, "1970-01-01T00:00:00Z");
  const bad = { name: "b", ready: false, reason: "InvalidModule" as const, message: "no handle" };
  object.status = mergeWasmStatus(object, { node: "b", report: bad }, at(20_000));
  const [condition] = object.status.conditions ?? [];
  assert.deepEqual([condition?.status, condition?.reason], ["False", "InvalidModule"]);
  assert.match(condition?.message ?? "", /1 of 2 nodes serve it; node b: no handle/);
  assert.equal(condition?.lastTransitionTime, "1970-01-01T00:00:20Z");
  object.status = mergeWasmStatus(object, { node: "b" }, at(30_000));
  assert.deepEqual(object.status.nodes?.map(({ name }) => name), ["a"]);
});

Deno.test("mergeWasmStatus() counts all nodes, lists 100, and lists those that are not ready first", () => {
  const counters = { requests: 1, errors: 0, timeouts: 0, traps: 0, rejected: 0 };
  const object = fn({});
  const merge = (name: string, ready: boolean): void => {
    const reason = ready ? "Serving" as const : "CompileFailed" as const;
    const report = { name, ready, reason, invocations: counters };
    object.status = mergeWasmStatus(object, { node: name, report }, { now: ms(0) });
  };
  const names = Array.from({ length: 150 }, (_, i) => `n${String(i).padStart(3, "0")}`);
  for (const name of names) merge(name, true);
  assert.deepEqual([object.status?.readyNodes, object.status?.desiredNodes], [150, 150]);
  assert.equal(object.status?.invocations?.requests, 150);
  assert.equal(object.status?.nodes?.length, 100);
  merge("n149", false);
  assert.equal(object.status?.readyNodes, 149);
  assert.equal(object.status?.nodes?.at(-1)?.name, "n149");
  assert.match(object.status?.conditions?.[0]?.message ?? "", /^149 of 150 nodes serve it/);
  for (const node of names.slice(0, 60)) {
    object.status = mergeWasmStatus(object, { node }, { now: ms(0) });
  }
  assert.deepEqual([object.status?.readyNodes, object.status?.desiredNodes], [89, 90]);
  assert.deepEqual([object.status?.nodes?.length, object.status?.otherNodes], [90, undefined]);
});

Deno.test("parseByteSize() and parseSpan() read what they say and nothing else", () => {
  assert.deepEqual(["1Mi", "1.5Ki", "10", "2k"].map(parseByteSize), [1048576, 1536, 10, 2000]);
  for (const text of ["", "1 Mi", "-1", "1m", "0.3Ki", "9e9"]) {
    assert.equal(parseByteSize(text), undefined, text);
  }
  assert.deepEqual(["500ms", "1m30s", "1.5s"].map(parseSpan), [500, 90_000, 1500]);
  for (const text of ["", "5", "s", "1d", "-1s"]) assert.equal(parseSpan(text), undefined, text);
});
