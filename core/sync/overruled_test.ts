import assert from "node:assert/strict";
import { type KubeObject, RESOURCES } from "../api/mod.ts";
import { overruledNode } from "./overruled.ts";

const { configmaps, nodes, pods } = RESOURCES;

function pod(...conditions: Record<string, string>[]): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "a" },
    spec: { nodeName: "n1" },
    status: { conditions },
  };
}
const CONTAINERS = { type: "ContainersReady", status: "True" };
const readyPod = pod({ type: "Ready", status: "True" }, CONTAINERS);
const marked = pod({ type: "Ready", status: "False" }, CONTAINERS);

function node(status: string): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "n1" },
    status: { conditions: [{ type: "Ready", status }] },
  };
}

Deno.test("overruledNode() names the node whose pod somebody else marked as not ready, once", () => {
  assert.equal(overruledNode(pods, marked, readyPod), "n1");
  assert.equal(overruledNode(pods, marked, undefined), "n1");
  assert.equal(overruledNode(pods, marked, marked), undefined);
  const byItself = pod({ type: "Ready", status: "False", reason: "ContainersNotReady" }, {
    ...CONTAINERS,
    status: "False",
  });
  assert.equal(overruledNode(pods, byItself, readyPod), undefined);
  const gated = pod(
    { type: "Ready", status: "False", reason: "ReadinessGatesNotReady" },
    CONTAINERS,
  );
  assert.equal(overruledNode(pods, gated, readyPod), undefined);
  const odd = { ...pod(), status: { conditions: [null] } };
  assert.equal(overruledNode(pods, odd, undefined), undefined);
  assert.equal(overruledNode(configmaps, marked, undefined), undefined);
});

Deno.test("overruledNode() names a Node that became Unknown", () => {
  assert.equal(overruledNode(nodes, node("Unknown"), node("True")), "n1");
  assert.equal(overruledNode(nodes, node("Unknown"), node("Unknown")), undefined);
  assert.equal(overruledNode(nodes, node("False"), node("True")), undefined);
  assert.equal(overruledNode(nodes, undefined, node("True")), undefined);
});
