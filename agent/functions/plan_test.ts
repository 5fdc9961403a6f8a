import assert from "node:assert/strict";
import type { WasmFunction } from "../../core/api/mod.ts";
import type { RunnerFunctionState } from "../../core/runnerapi/mod.ts";
import { type FunctionFacts, planFunction, revisionOf, toRunnerFunction } from "./plan.ts";

const FN: WasmFunction = {
  apiVersion: "skerry.dev/v1alpha1",
  kind: "WasmFunction",
  metadata: {
    name: "hello",
    namespace: "default",
    uid: "u1",
    generation: 3,
    creationTimestamp: "2026-01-01T00:00:00Z",
  },
  spec: { source: { file: "hello.wasm" }, limits: { timeout: "2s" } },
};
const DIGEST = "a".repeat(64);

async function facts(
  state: Partial<RunnerFunctionState> | undefined,
  change: Partial<FunctionFacts> = {},
): Promise<FunctionFacts> {
  const bare = toRunnerFunction(FN, DIGEST);
  const wanted = { ...bare, revision: await revisionOf(bare) };
  const full: RunnerFunctionState | undefined = state && {
    uid: "u1",
    namespace: "default",
    name: "hello",
    revision: wanted.revision,
    generation: 3,
    state: "Ready",
    reason: "Serving",
    message: "",
    servingRevision: wanted.revision,
    servingDigest: DIGEST,
    abi: "skerry-core-v1",
    paths: ["/default/hello"],
    counters: { requests: 1, errors: 0, timeouts: 0, traps: 0, rejected: 0 },
    ...state,
  };
  return {
    node: "n1",
    fn: FN,
    source: { found: true, digest: DIGEST },
    wanted,
    runner: { connected: true, gateway: "127.0.0.1:8080", state: full },
    ...change,
  };
}

Deno.test("planFunction() reports Serving with digest and address when the runner serves the revision", async () => {
  const plan = planFunction(await facts({}));
  assert.equal(plan.put, undefined);
  assert.equal(plan.status.ready, true);
  assert.equal(plan.status.reason, "Serving");
  assert.equal(plan.status.digest, `sha256:${DIGEST}`);
  assert.deepEqual(plan.status.urls, ["http://127.0.0.1:8080/default/hello"]);
  assert.equal(plan.status.observedGeneration, 3);
});

Deno.test("planFunction() puts a function that the runner lacks or has in another revision", async () => {
  const lacks = planFunction(await facts(undefined));
  assert.equal(lacks.put?.uid, "u1");
  assert.equal(lacks.status.reason, "Compiling");
  const other = planFunction(await facts({ revision: "old", servingRevision: "old" }));
  assert.equal(other.put?.limits.timeoutMs, 2000);
  assert.equal(other.status.servingRevision, "old");
});

Deno.test("planFunction() puts a revision again whose compiler failed, and not one whose module is bad", async () => {
  const failed = planFunction(await facts({ state: "Failed", reason: "CompileFailed" }));
  assert.equal(failed.again, true);
  assert.ok(failed.put);
  const bad = planFunction(await facts({ state: "Failed", reason: "InvalidModule", message: "m" }));
  assert.equal(bad.put, undefined);
  assert.deepEqual([bad.status.ready, bad.status.reason, bad.status.message], [
    false,
    "InvalidModule",
    "m",
  ]);
});

Deno.test("planFunction() says RunnerUnavailable and puts nothing while the runner is away", async () => {
  const plan = planFunction(
    await facts({}, { runner: { connected: false, message: "no socket" } }),
  );
  assert.equal(plan.put, undefined);
  assert.equal(plan.status.reason, "RunnerUnavailable");
  assert.equal(plan.status.message, "no socket");
});

Deno.test("planFunction() leaves the old revision alone when the new source is not found", async () => {
  const plan = planFunction(
    await facts({ revision: "old", servingRevision: "old" }, {
      wanted: undefined,
      source: { found: false, reason: "SourceNotFound", message: "gone", retry: true },
    }),
  );
  assert.equal(plan.put, undefined);
  assert.equal(plan.status.message, "gone; revision old keeps answering");
  assert.equal(plan.retry, true);
});

Deno.test("revisionOf() changes with what the runner reads and not with the generation", async () => {
  const base = toRunnerFunction(FN, DIGEST);
  const revision = await revisionOf(base);
  assert.equal(await revisionOf({ ...base, generation: 9, createdAt: 5 }), revision);
  assert.notEqual(await revisionOf({ ...base, env: { A: "1" } }), revision);
  assert.notEqual(await revisionOf({ ...base, digest: "b".repeat(64) }), revision);
});

Deno.test("planFunction() refuses more memory than the node's engine gives, and passes the last error on", async () => {
  const max = 8 * 2 ** 20;
  const base = await facts({ lastError: "Trap: function default/hello: wasm trap: x" });
  assert.ok(base.runner.connected);
  const fits = planFunction({ ...base, runner: { ...base.runner, maxMemoryBytes: 2 * max } });
  assert.equal(fits.status.ready, true);
  assert.equal(fits.status.lastError, "Trap: function default/hello: wasm trap: x");
  const small = planFunction({ ...base, runner: { ...base.runner, maxMemoryBytes: max } });
  assert.deepEqual([small.put, small.status.reason], [undefined, "InvalidSpec"]);
  assert.match(
    small.status.message ?? "",
    /spec\.limits\.memory is 16777216 bytes, the engine of this node gives at most 8388608/,
  );
});
