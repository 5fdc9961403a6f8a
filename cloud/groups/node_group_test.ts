import assert from "node:assert/strict";
import { BELONGING_TO } from "../../core/api/mod.ts";
import type { Node, NodeGroup, Pod } from "../../core/api/mod.ts";
import {
  decideGroup,
  groupSelects,
  nodeGroupStatus,
  podsToEvict,
  withGroup,
} from "./node_group.ts";

function group(name: string, spec: NodeGroup["spec"], more: Partial<NodeGroup["metadata"]> = {}) {
  const group: NodeGroup = {
    apiVersion: "apps.kubeedge.io/v1alpha1",
    kind: "NodeGroup",
    metadata: { name, creationTimestamp: "2026-01-01T00:00:00Z", ...more },
    spec,
  };
  return group;
}

function node(name: string, labels: Record<string, string> = {}, ready?: "True" | "False"): Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels },
    status: { conditions: ready ? [{ type: "Ready", status: ready }] : [] },
  };
}

Deno.test.each([
  ["a name", { nodes: ["n", "m"] }, true],
  ["another name", { nodes: ["m"] }, false],
  ["all labels", { matchLabels: { zone: "a", tier: "x" } }, true],
  ["one label of two", { matchLabels: { zone: "a", tier: "y" } }, false],
  ["a name and labels that do not match", { nodes: ["n"], matchLabels: { zone: "b" } }, true],
  ["no labels", { matchLabels: {} }, false],
  ["nothing", {}, false],
])("groupSelects() by %s", (_what, spec: unknown, expected) => {
  assert.equal(
    groupSelects(group("g", spec as NodeGroup["spec"]), node("n", { zone: "a", tier: "x" })),
    expected,
  );
});

Deno.test("groupSelects() is over for a group that is being deleted", () => {
  const going = group("g", { nodes: ["n"] }, { deletionTimestamp: "2026-01-01T00:00:00Z" });
  assert.equal(groupSelects(going, node("n")), false);
});

Deno.test("decideGroup() keeps the group that has the node, then takes the oldest, then the first name", () => {
  const spec = { nodes: ["n"] };
  const [old, young] = ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"];
  const groups = [
    group("c", spec, { creationTimestamp: young }),
    group("b", spec, { creationTimestamp: old }),
    group("a", spec, { creationTimestamp: old }),
    group("other", { nodes: ["m"] }, { creationTimestamp: old }),
  ];
  assert.equal(decideGroup(node("n"), groups), "a");
  assert.equal(decideGroup(node("n", { [BELONGING_TO]: "c" }), groups), "c");
  // A label that no group stands behind is nothing.
  assert.equal(decideGroup(node("n", { [BELONGING_TO]: "other" }), groups), "a");
  assert.equal(decideGroup(node("n", { [BELONGING_TO]: "ghost" }), groups), "a");
  assert.equal(decideGroup(node("x", { [BELONGING_TO]: "a" }), groups), undefined);
});

Deno.test("withGroup() changes one label, and nothing when it is right", () => {
  const there = node("n", { zone: "a", [BELONGING_TO]: "g" });
  assert.equal(withGroup(there, "g"), there);
  assert.deepEqual(withGroup(there, undefined).metadata.labels, { zone: "a" });
  assert.deepEqual(withGroup(there, "h").metadata.labels, { zone: "a", [BELONGING_TO]: "h" });
  const bare = node("n");
  assert.equal(withGroup(bare, undefined), bare);
});

Deno.test("podsToEvict() takes pods of a known group only", () => {
  const pod = (name: string, wants?: string, more: Partial<Pod["metadata"]> = {}): Pod => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, ...more },
    spec: { containers: [], ...(wants ? { nodeSelector: { [BELONGING_TO]: wants } } : {}) },
  });
  const pods = [
    pod("stays", "b"),
    pod("free"),
    pod("goes", "a"),
    pod("unknown", "ghost"),
    pod("going", "a", { deletionTimestamp: "2026-01-01T00:00:00Z" }),
  ];
  const groups = [group("a", {}), group("b", {})];
  const names = podsToEvict(pods, { group: "b", groups }).map(({ metadata }) => metadata.name);
  assert.deepEqual(names, ["goes"]);
});

Deno.test("nodeGroupStatus() has every node that is meant, in order, with the reason of those left out", () => {
  const groups = [
    group("g", { nodes: ["z", "ghost", "taken"], matchLabels: { zone: "a" } }),
    group("other", { nodes: ["taken"] }),
  ];
  const [g] = groups;
  assert.ok(g);
  const nodes = [
    node("z", { [BELONGING_TO]: "g" }, "True"),
    node("b", { zone: "a", [BELONGING_TO]: "g" }, "False"),
    node("c", { zone: "a", [BELONGING_TO]: "g" }),
    node("taken", { [BELONGING_TO]: "other" }, "True"),
    node("new", { zone: "a" }, "True"),
    node("elsewhere", {}, "True"),
  ];
  const ok = { selectionStatus: "Succeeded" };
  assert.deepEqual(nodeGroupStatus(g, nodes, groups).nodeStatuses, [
    { nodeName: "b", readyStatus: "NotReady", ...ok },
    { nodeName: "c", readyStatus: "Unknown", ...ok },
    {
      nodeName: "ghost",
      readyStatus: "Unknown",
      selectionStatus: "Failed",
      selectionStatusReason: "there is no node of this name",
    },
    {
      nodeName: "new",
      readyStatus: "Ready",
      selectionStatus: "Failed",
      selectionStatusReason: `the node's label ${BELONGING_TO} is about to be set`,
    },
    {
      nodeName: "taken",
      readyStatus: "Ready",
      selectionStatus: "Failed",
      selectionStatusReason:
        "the node belongs to the NodeGroup other; a node is in one group at most",
    },
    { nodeName: "z", readyStatus: "Ready", ...ok },
  ]);
});
