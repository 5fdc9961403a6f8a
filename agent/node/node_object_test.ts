import { strictEqual } from "node:assert/strict";
import type { Node } from "../../core/api/mod.ts";
import { bytes, type Ms, ms, seconds } from "../../core/base/mod.ts";
import { osName } from "./facts.ts";
import { type NodeInputs, nodeObject } from "./node_object.ts";

const AT = ms(Date.UTC(2026, 0, 1));
const INPUTS: NodeInputs = {
  name: "gate-7",
  facts: {
    hostname: "gate-7",
    cpus: 4,
    memory: bytes(1024 ** 3),
    architecture: "arm64",
    kernel: "6.1",
    osImage: "Debian",
    machineId: "m",
    bootId: "b",
    addresses: ["10.0.0.7"],
  },
  address: "10.0.0.7",
  labels: { site: "north" },
  version: "0.1.0",
  runtime: { version: "containerd://1.6.20" },
  engine: "wasmtime 50.0.1",
  maxPods: 110,
};

function condition(node: Node, type: string) {
  return node.status?.conditions?.find((item) => item.type === type);
}

Deno.test("nodeObject() says what the scheduler needs: Ready and allocatable pods", () => {
  const node = nodeObject(INPUTS, undefined, AT);
  strictEqual(condition(node, "Ready")?.status, "True");
  strictEqual(node.status?.allocatable?.pods, "110");
  strictEqual(node.status?.capacity?.memory, "1048576Ki");
  strictEqual(node.metadata.labels?.["kubernetes.io/arch"], "arm64");
  strictEqual(node.metadata.labels?.site, "north");
  strictEqual(node.status?.nodeInfo?.kubeletVersion, "v1.34.0-skerry.0.1.0");
});

Deno.test("nodeObject() takes no pods where there is no runtime, and is Ready for functions", () => {
  const node = nodeObject({ ...INPUTS, runtime: undefined }, undefined, AT);
  strictEqual(node.status?.allocatable?.pods, "0");
  strictEqual(condition(node, "Ready")?.status, "True");
});

Deno.test("nodeObject() moves a transition time only when the status changes", () => {
  const first = nodeObject(INPUTS, undefined, AT);
  const later = (AT + seconds(60)) as Ms;
  const same = nodeObject(INPUTS, first, later);
  strictEqual(condition(same, "Ready")?.lastTransitionTime, "2026-01-01T00:00:00Z");
  const down = nodeObject(
    { ...INPUTS, runtime: { version: "x", problem: "socket gone" } },
    same,
    later,
  );
  strictEqual(condition(down, "Ready")?.status, "False");
  strictEqual(condition(down, "Ready")?.message, "socket gone");
  strictEqual(condition(down, "Ready")?.lastTransitionTime, "2026-01-01T00:01:00Z");
});

Deno.test("osName() reads quoted and bare names", () => {
  strictEqual(osName('ID=x\nPRETTY_NAME="Debian 12"\n'), "Debian 12");
  strictEqual(osName("PRETTY_NAME=Alpine\n"), "Alpine");
  strictEqual(osName(""), "Linux");
});
