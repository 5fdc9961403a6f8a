import assert from "node:assert/strict";
import fc from "fast-check";
import { type KubeObject, RESOURCE_LIST, RESOURCES } from "../../api/mod.ts";
import { type Ms, ms, toTime } from "../../base/mod.ts";
import { columnsOf, humanDuration, podStatusText, rowOf } from "./mod.ts";

const NOW: Ms = ms(Date.UTC(2026, 0, 2));

Deno.test.each<[number, string]>([
  [0, "0s"],
  [119, "119s"],
  [120, "2m"],
  [125, "2m5s"],
  [600, "10m"],
  [10_799, "179m"],
  [10_800, "3h"],
  [11_100, "3h5m"],
  [8 * 3600, "8h"],
  [48 * 3600, "2d"],
  [49 * 3600, "2d1h"],
  [192 * 3600, "8d"],
  [729 * 86_400, "729d"],
  [731 * 86_400, "2y1d"],
  [3000 * 86_400, "8y"],
  [-5, "<invalid>"],
])("humanDuration() of %s s is %s", (seconds, text) => {
  assert.equal(humanDuration(seconds * 1000), text);
});

function pod(status: object, more: object = {}): KubeObject {
  return { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: {}, status, ...more };
}
const waiting = (reason: string): object => ({ name: "c", state: { waiting: { reason } } });
const ended = (end: object): object => ({ name: "c", state: { terminated: end } });
const running = { name: "c", ready: true, state: { running: {} } };

Deno.test.each<[string, KubeObject]>([
  ["Pending", pod({})],
  ["Evicted", pod({ phase: "Failed", reason: "Evicted" })],
  [
    "ContainerCreating",
    pod({ phase: "Pending", containerStatuses: [waiting("ContainerCreating")] }),
  ],
  ["CrashLoopBackOff", pod({ phase: "Running", containerStatuses: [waiting("CrashLoopBackOff")] })],
  [
    "Completed",
    pod({ phase: "Succeeded", containerStatuses: [ended({ reason: "Completed", exitCode: 0 })] }),
  ],
  [
    "OOMKilled",
    pod({ phase: "Failed", containerStatuses: [ended({ reason: "OOMKilled", exitCode: 137 })] }),
  ],
  ["ExitCode:3", pod({ phase: "Failed", containerStatuses: [ended({ exitCode: 3 })] })],
  ["Signal:9", pod({ phase: "Failed", containerStatuses: [ended({ signal: 9, exitCode: 137 })] })],
  [
    "NotReady",
    pod({ phase: "Running", containerStatuses: [ended({ reason: "Completed" }), running] }),
  ],
  ["Running", pod({ phase: "Running", containerStatuses: [running] })],
  [
    "Init:0/2",
    pod({ phase: "Pending", initContainerStatuses: [{ name: "i", state: { running: {} } }] }, {
      spec: { initContainers: [{ name: "i" }, { name: "j" }] },
    }),
  ],
  [
    "Init:CrashLoopBackOff",
    pod({ phase: "Pending", initContainerStatuses: [waiting("CrashLoopBackOff")] }),
  ],
  [
    "Terminating",
    pod({ phase: "Running", containerStatuses: [running] }, {
      metadata: { name: "p", deletionTimestamp: toTime(NOW) },
    }),
  ],
  [
    "Unknown",
    pod({ phase: "Running", reason: "NodeLost" }, {
      metadata: { name: "p", deletionTimestamp: toTime(NOW) },
    }),
  ],
])("podStatusText() says %s", (text, object) => {
  assert.equal(podStatusText(object), text);
});

Deno.test("a row has one cell a column and never throws, whatever an object holds", () => {
  const junk = fc.jsonValue({ maxDepth: 4 });
  const part = fc.record({
    spec: junk,
    status: junk,
    data: junk,
    type: junk,
    endpoints: junk,
    ports: junk,
    secrets: junk,
  });
  fc.assert(
    fc.property(part, fc.constantFrom(...RESOURCE_LIST), (fields, resource) => {
      const object = {
        apiVersion: "v1",
        kind: resource.kind,
        metadata: { name: "x" },
        ...fields,
      } as KubeObject;
      const { cells } = rowOf(resource, object, { rows: "None", now: NOW });
      assert.equal(cells.length, columnsOf(resource).length);
    }),
    { numRuns: 1500 },
  );
});

Deno.test("a row shows restarts with the time of the last one", () => {
  const finishedAt = toTime(ms(NOW - 300_000));
  const status = {
    phase: "Running",
    containerStatuses: [{ ...running, restartCount: 3, lastState: { terminated: { finishedAt } } }],
  };
  const { cells } = rowOf(RESOURCES.pods, pod(status, { spec: { containers: [{}] } }), {
    rows: "None",
    now: NOW,
  });
  assert.deepEqual(cells.slice(0, 4), ["p", "1/1", "Running", "3 (5m ago)"]);
});

Deno.test("a row counts restarts of init containers until they are over, then those of sidecars", () => {
  const spec = {
    initContainers: [{ name: "init" }, { name: "side", restartPolicy: "Always" }],
    containers: [{ name: "main" }],
  };
  const done = { terminated: { exitCode: 0 } };
  const side = { ...running, name: "side", started: true, restartCount: 2 };
  const restarts = (init: object): unknown => {
    const status = {
      phase: "Running",
      initContainerStatuses: [{ name: "init", restartCount: 4, state: init }, side],
      containerStatuses: [{ ...running, name: "main", restartCount: 1 }],
    };
    return rowOf(RESOURCES.pods, pod(status, { spec }), { rows: "None", now: NOW }).cells[3];
  };
  assert.equal(restarts({ waiting: { reason: "CrashLoopBackOff" } }), "6");
  assert.equal(restarts(done), "3");
});

Deno.test("a WasmFunction shows readiness, digest, calls and nodes", () => {
  const object: KubeObject = {
    apiVersion: "skerry.dev/v1alpha1",
    kind: "WasmFunction",
    metadata: { name: "f", creationTimestamp: toTime(ms(NOW - 60_000)) },
    status: {
      conditions: [{ type: "Ready", status: "True", reason: "Serving" }],
      digest: `sha256:${"ab".repeat(32)}`,
      invocations: { requests: 7, errors: 2 },
      nodes: [{ name: "a", ready: true }, { name: "b", ready: false }],
    },
  };
  const { cells } = rowOf(RESOURCES.wasmfunctions, object, { rows: "None", now: NOW });
  assert.deepEqual(cells, ["f", "True", "Serving", "abababababab", 7, "1/2", "60s", "<none>", 2]);
});
