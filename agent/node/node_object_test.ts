import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { Condition, Node } from "../../core/api/mod.ts";
import { bytes, mib, ms, seconds } from "../../core/base/mod.ts";
import { osName } from "./facts.ts";
import { nodeEvents } from "./node_events.ts";
import { type NodeInputs, nodeObject } from "./node_object.ts";

const AT = ms(Date.UTC(2026, 0, 1));
const READY = ["RuntimeReady", "NetworkReady"].map((type) => ({
  type,
  status: true,
  reason: "",
  message: "",
}));
const INPUTS: NodeInputs = {
  name: "gate-7",
  facts: {
    hostname: "gate-7",
    cpus: 4,
    memory: mib(1024),
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
  runtime: { version: "containerd://1.6.20", conditions: READY },
  engine: "wasmtime 50.0.1",
  maxPods: 110,
  disk: { size: mib(8192), available: mib(4096), inodes: 1000, inodesFree: 900 },
  kept: { memory: mib(100), disk: mib(819) },
  images: [],
  extended: { capacity: { "example.com/tpu": 2 }, allocatable: { "example.com/tpu": 1 } },
  pressures: new Set(),
  shuttingDown: false,
  strays: undefined,
};

function condition(node: Node, type: string): Condition | undefined {
  return node.status?.conditions?.find((item) => item.type === type);
}

/** Status, reason and message of one condition. */
function words(inputs: Partial<NodeInputs>, type = "Ready"): (string | undefined)[] {
  const found = condition(nodeObject({ ...INPUTS, ...inputs }, undefined, AT), type);
  return [found?.status, found?.reason, found?.message];
}

Deno.test("nodeObject() says what the scheduler needs: Ready, capacity and what pods may have of it", () => {
  const { status, metadata } = nodeObject(INPUTS, undefined, AT);
  deepStrictEqual(status?.capacity, {
    cpu: "4",
    "ephemeral-storage": "8388608Ki",
    memory: "1048576Ki",
    pods: "110",
    "example.com/tpu": "2",
  });
  deepStrictEqual(status?.allocatable, {
    cpu: "4",
    "ephemeral-storage": String(mib(8192) - mib(819)),
    memory: `${(1024 - 128 - 100) * 1024}Ki`,
    pods: "110",
    "example.com/tpu": "1",
  });
  strictEqual(metadata.labels?.["kubernetes.io/arch"], "arm64");
  strictEqual(metadata.labels?.["site"], "north");
  strictEqual(status?.nodeInfo?.kubeletVersion, "v1.34.0-skerry.0.1.0");
});

Deno.test("nodeObject() says nothing of a disk that it cannot measure", () => {
  const { status } = nodeObject({ ...INPUTS, disk: undefined }, undefined, AT);
  strictEqual(status?.capacity?.["ephemeral-storage"], undefined);
  strictEqual(status?.allocatable?.["ephemeral-storage"], undefined);
});

Deno.test("nodeObject() has the kubelet's conditions, reasons and order", () => {
  const conditions = nodeObject(INPUTS, undefined, AT).status?.conditions ?? [];
  deepStrictEqual(conditions.map(({ type, status, reason }) => [type, status, reason]), [
    ["NetworkUnavailable", "False", "NetworkPluginReady"],
    ["MemoryPressure", "False", "KubeletHasSufficientMemory"],
    ["DiskPressure", "False", "KubeletHasNoDiskPressure"],
    ["PIDPressure", "False", "KubeletHasSufficientPID"],
    ["Ready", "True", "KubeletReady"],
  ]);
  const pressures = new Set(["MemoryPressure", "DiskPressure", "PIDPressure"] as const);
  const pressed = nodeObject({ ...INPUTS, pressures }, undefined, AT).status?.conditions ?? [];
  deepStrictEqual(pressed.slice(1, 4).map(({ status, reason }) => [status, reason]), [
    ["True", "KubeletHasInsufficientMemory"],
    ["True", "KubeletHasDiskPressure"],
    ["True", "KubeletHasInsufficientPID"],
  ]);
});

Deno.test("nodeObject() is not Ready in the kubelet's words, and tells of a missing network", () => {
  const network = {
    type: "NetworkReady",
    status: false,
    reason: "NetworkPluginNotReady",
    message: "Network plugin returns error: cni plugin not initialized",
  };
  const text = "container runtime network not ready: NetworkReady=false " +
    `reason:NetworkPluginNotReady message:${network.message}`;
  const runtime = { version: "containerd://1.6.20", conditions: [network] };
  deepStrictEqual(words({ runtime }), ["False", "KubeletNotReady", text]);
  deepStrictEqual(words({ runtime }, "NetworkUnavailable"), [
    "True",
    "NetworkPluginNotReady",
    network.message,
  ]);
  deepStrictEqual(words({ runtime, shuttingDown: true }), [
    "False",
    "KubeletNotReady",
    `[${text}, node is shutting down]`,
  ]);
  deepStrictEqual(words({ shuttingDown: true })[2], "node is shutting down");
  const down = { version: "unknown://", down: "no such socket", conditions: [] };
  deepStrictEqual(words({ runtime: down })[2], "container runtime is down: no such socket");
});

Deno.test("nodeObject() names pods that run unknown, and says when there are none any more", () => {
  const stray = (node: Node) => {
    const found = node.status?.conditions?.find(({ type }) => type === "StrayPods");
    return found && [found.status, found.reason];
  };
  const before = nodeObject(INPUTS, undefined, AT);
  strictEqual(stray(before), undefined);
  const some = nodeObject({ ...INPUTS, strays: "a/b runs" }, before, AT);
  deepStrictEqual(stray(some), ["True", "UnknownPodsRun"]);
  deepStrictEqual(stray(nodeObject(INPUTS, some, AT)), ["False", "AllPodsKnown"]);
});

Deno.test("nodeObject() keeps what it said of the network while the runtime is away", () => {
  const first = nodeObject(INPUTS, undefined, AT);
  const down = { version: "unknown://", down: "x", conditions: [] };
  const node = nodeObject({ ...INPUTS, runtime: down }, first, ms(AT + seconds(60)));
  strictEqual(condition(node, "NetworkUnavailable")?.status, "False");
});

Deno.test("nodeObject() takes no pods where there is no runtime, and is Ready for functions", () => {
  const node = nodeObject({ ...INPUTS, runtime: undefined }, undefined, AT);
  strictEqual(node.status?.allocatable?.pods, "0");
  strictEqual(condition(node, "Ready")?.status, "True");
  strictEqual(condition(node, "NetworkUnavailable"), undefined);
});

Deno.test("nodeObject() moves a transition time only when the status changes", () => {
  const first = nodeObject(INPUTS, undefined, AT);
  const later = ms(AT + seconds(60));
  const same = nodeObject(INPUTS, first, later);
  strictEqual(condition(same, "Ready")?.lastTransitionTime, "2026-01-01T00:00:00Z");
  strictEqual(condition(same, "Ready")?.lastHeartbeatTime, "2026-01-01T00:01:00Z");
  const down = nodeObject({ ...INPUTS, shuttingDown: true }, same, later);
  strictEqual(condition(down, "Ready")?.status, "False");
  strictEqual(condition(down, "Ready")?.lastTransitionTime, "2026-01-01T00:01:00Z");
});

Deno.test("nodeObject() names the fifty largest images, each by at most five names", () => {
  const images = Array.from({ length: 60 }, (_, i) => ({
    id: `sha256:${i}`,
    tags: Array.from({ length: 6 }, (_, tag) => `app:${tag}`),
    digests: [`app@sha256:${i}`],
    size: bytes(1000 + i),
  }));
  const shown = nodeObject({ ...INPUTS, images }, undefined, AT).status?.images ?? [];
  strictEqual(shown.length, 50);
  deepStrictEqual(shown[0], {
    names: ["app@sha256:59", "app:0", "app:1", "app:2", "app:3"],
    sizeBytes: 1059,
  });
});

Deno.test("nodeEvents() tells of conditions that change, in the kubelet's reasons", () => {
  const before = nodeObject(INPUTS, undefined, AT).status?.conditions ?? [];
  const pressures = new Set(["DiskPressure"] as const);
  const after = nodeObject({ ...INPUTS, pressures, shuttingDown: true }, undefined, AT)
    .status?.conditions ?? [];
  deepStrictEqual(nodeEvents("gate-7", before, before), []);
  deepStrictEqual(nodeEvents("gate-7", before, after), [
    {
      type: "Normal",
      reason: "NodeHasDiskPressure",
      message: "Node gate-7 status is now: NodeHasDiskPressure",
    },
    {
      type: "Normal",
      reason: "NodeNotReady",
      message: "Node gate-7 status is now: NodeNotReady",
    },
  ]);
});

Deno.test("osName() reads quoted and bare names", () => {
  strictEqual(osName('ID=x\nPRETTY_NAME="Debian 12"\n'), "Debian 12");
  strictEqual(osName("PRETTY_NAME=Alpine\n"), "Alpine");
  strictEqual(osName(""), "Linux");
});
