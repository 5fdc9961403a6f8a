import assert from "node:assert/strict";
import { type KubeObject, RESOURCES } from "../api/mod.ts";
import { overruledNode } from "./overruled.ts";

const { configmaps, pods } = RESOURCES;

function pod(status: Record<string, unknown>, version: string, uid = "u"): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "a", uid, resourceVersion: version },
    spec: { nodeName: "n1" },
    status,
  };
}
const READY = { type: "Ready", status: "True" };
const SCHEDULED = { type: "PodScheduled", status: "True" };
const running = pod({ phase: "Running", conditions: [SCHEDULED, READY] }, "1");

Deno.test("overruledNode() tells of a change of a pod's status in what is the node's, and which version made it", () => {
  const notReady = { ...READY, status: "False" };
  const marked = pod({ phase: "Running", conditions: [SCHEDULED, notReady] }, "2");
  assert.deepEqual(overruledNode(pods, marked, running), { node: "n1", version: "2" });
  const failed = pod({ phase: "Failed", conditions: [SCHEDULED, READY] }, "2");
  assert.deepEqual(overruledNode(pods, failed, running), { node: "n1", version: "2" });
  assert.equal(overruledNode(configmaps, marked, running), undefined);
});

Deno.test("overruledNode() leaves to others what is theirs", () => {
  const others = { type: "example.com/Gate", status: "True" };
  for (
    const status of [
      { phase: "Running", conditions: [SCHEDULED, READY] },
      { phase: "Running", conditions: [READY, others] },
      { phase: "Running", conditions: [SCHEDULED, READY, null] },
      { phase: "Running", qosClass: "Burstable", conditions: [READY] },
    ]
  ) {
    assert.equal(overruledNode(pods, pod(status, "2"), running), undefined, JSON.stringify(status));
  }
  const other = pod({ phase: "Pending" }, "2", "another");
  assert.equal(overruledNode(pods, other, running), undefined);
  assert.equal(overruledNode(pods, other, undefined), undefined);
  const { nodeName: _, ...unbound } = running["spec"];
  const nowhere = pod({ phase: "Failed" }, "2");
  assert.equal(overruledNode(pods, { ...nowhere, spec: unbound }, running), undefined);
});
