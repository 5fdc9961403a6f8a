import assert from "node:assert/strict";
import {
  customProblems,
  type NodeGroup,
  type Pod,
  pruneCustom,
  RESOURCES,
} from "../../core/api/mod.ts";
import { until } from "../until_test_helper.ts";
import { type Harness, nodeGroup, withGroups } from "./harness_test_helper.ts";
import { BELONGING_TO } from "../../core/api/mod.ts";
import { GROUP_FINALIZER } from "./node_group.ts";

const { nodegroups, nodes, pods } = RESOURCES;

async function untilGroup(harness: Harness, node: string, group?: string): Promise<void> {
  await until(async () => (await harness.labelsOf(node))[BELONGING_TO] === group);
}

/** `node:Succeeded` or `node:Failed` of a group. */
async function membersOf({ find }: Harness, name: string): Promise<string> {
  const group = await find<NodeGroup>(nodegroups, name);
  return (group?.status?.nodeStatuses ?? [])
    .map((one) => `${one.nodeName}:${one.selectionStatus}`).join(" ");
}

async function untilMembers(harness: Harness, name: string, members: string): Promise<void> {
  await until(async () => await membersOf(harness, name) === members);
}

function podOn(node: string, group: string): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `pod-${group}`, namespace: "default" },
    spec: {
      nodeName: node,
      nodeSelector: { [BELONGING_TO]: group },
      containers: [{ name: "main", image: "example/app:1" }],
    },
  };
}

Deno.test("a node group has its nodes by name and by labels, and follows both", () =>
  withGroups(async (harness) => {
    const { addNode, create, change, remove } = harness;
    await addNode("a");
    await addNode("b", { zone: "x" });
    await addNode("c");
    await create(nodegroups, nodeGroup("g", { nodes: ["a", "later"], matchLabels: { zone: "x" } }));
    await untilMembers(harness, "g", "a:Succeeded b:Succeeded later:Failed");
    assert.equal((await harness.labelsOf("c"))[BELONGING_TO], undefined);
    await addNode("later");
    await untilMembers(harness, "g", "a:Succeeded b:Succeeded later:Succeeded");
    // Labels that are edited by hand are healed.
    for (const value of [undefined, "else"]) {
      await change(nodes, "a", (node) => ({
        ...node,
        metadata: { ...node.metadata, labels: value ? { [BELONGING_TO]: value } : {} },
      }));
      await untilGroup(harness, "a", "g");
    }
    await change(nodes, "c", (node) => ({
      ...node,
      metadata: { ...node.metadata, labels: { [BELONGING_TO]: "g" } },
    }));
    await untilGroup(harness, "c", undefined);
    await change(nodes, "b", (node) => ({
      ...node,
      metadata: { ...node.metadata, labels: { ...node.metadata.labels, zone: "y" } },
    }));
    await untilGroup(harness, "b", undefined);
    await untilMembers(harness, "g", "a:Succeeded later:Succeeded");
    await remove(nodes, "later");
    await untilMembers(harness, "g", "a:Succeeded later:Failed");
    await change(nodegroups, "g", (group) => ({ ...group, spec: { nodes: ["c"] } }));
    await untilMembers(harness, "g", "c:Succeeded");
    await untilGroup(harness, "a", undefined);
  }));

Deno.test("a node is in one group: the second says so and gets it when the first lets go", () =>
  withGroups(async (harness) => {
    const { addNode, create, change, find } = harness;
    await addNode("n");
    await create(nodegroups, nodeGroup("second", { nodes: ["n"] }));
    await untilGroup(harness, "n", "second");
    await create(nodegroups, nodeGroup("first", { nodes: ["n"] }));
    await untilMembers(harness, "first", "n:Failed");
    const first = await find<NodeGroup>(nodegroups, "first");
    assert.ok(first);
    // A real API server would refuse or drop what its schema does not have.
    const checked = { ...nodegroups, hasStatus: false };
    assert.deepEqual(customProblems(checked, first), []);
    assert.deepEqual(pruneCustom(checked, first).unknown, []);
    assert.match(
      first?.status?.nodeStatuses?.[0]?.selectionStatusReason ?? "",
      /belongs to the NodeGroup second/,
    );
    assert.equal(await membersOf(harness, "second"), "n:Succeeded");
    await change(nodegroups, "second", (group) => ({ ...group, spec: {} }));
    await untilGroup(harness, "n", "first");
    await untilMembers(harness, "first", "n:Succeeded");
    await untilMembers(harness, "second", "");
  }));

Deno.test("a group that is deleted gives its nodes back, its pods leave, then it goes", () =>
  withGroups(async (harness) => {
    const { addNode, create, find, remove } = harness;
    for (const name of ["n", "m"]) await addNode(name);
    await create(nodegroups, nodeGroup("g", { nodes: ["n", "m"] }));
    await create(nodegroups, nodeGroup("heir", { nodes: ["n"] }));
    await untilMembers(harness, "g", "m:Succeeded n:Succeeded");
    const group = await find<NodeGroup>(nodegroups, "g");
    assert.deepEqual(group?.metadata.finalizers, [GROUP_FINALIZER]);
    await create(pods, podOn("n", "g"));
    await remove(nodegroups, "g");
    await until(async () => await find(nodegroups, "g") === undefined);
    assert.deepEqual(
      [(await harness.labelsOf("m"))[BELONGING_TO], (await harness.labelsOf("n"))[BELONGING_TO]],
      [undefined, "heir"],
    );
    const pod = await find<Pod>(pods, "pod-g");
    assert.ok(pod?.metadata.deletionTimestamp, "the pod was told to go");
    await untilMembers(harness, "heir", "n:Succeeded");
  }));

Deno.test("a pod leaves when its node leaves the group, and stays when nobody knows the group", () =>
  withGroups(async (harness) => {
    const { addNode, create, change, find } = harness;
    await addNode("n");
    await create(nodegroups, nodeGroup("g", { nodes: ["n"] }));
    await untilGroup(harness, "n", "g");
    await create(pods, podOn("n", "g"));
    await create(pods, podOn("n", "ghost"));
    await change(nodegroups, "g", (group) => ({ ...group, spec: {} }));
    await until(async () =>
      (await find<Pod>(pods, "pod-g"))?.metadata.deletionTimestamp !== undefined
    );
    const ghost = await find<Pod>(pods, "pod-ghost");
    assert.equal(ghost?.metadata.deletionTimestamp, undefined);
    assert.ok(ghost);
  }));
