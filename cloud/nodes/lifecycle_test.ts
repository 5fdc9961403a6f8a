import assert from "node:assert/strict";
import type { Condition, Node, Pod, Taint, Toleration } from "../../core/api/mod.ts";
import { type Ms, seconds, toTime } from "../../core/base/mod.ts";
import { decideNode, decidePod, REPORTED } from "./lifecycle.ts";
import { dueNodes, RENEW_EVERY } from "./leases.ts";

const NOW = Date.UTC(2026, 0, 1, 12) as Ms;
const READY: Condition = { type: "Ready", status: "True", reason: "KubeletReady" };
const DISK: Condition = {
  type: "DiskPressure",
  status: "False",
  reason: "KubeletHasNoDiskPressure",
};

function nodeOf(conditions: Condition[], more: Partial<Node> = {}): Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    ...more,
    metadata: { name: "gw", ...more.metadata },
    status: { conditions },
  };
}
const ago = (s: number) => (NOW - seconds(s)) as Ms;
const keys = (taints: readonly Taint[]) => taints.map(({ key, effect }) => `${key}:${effect}`);

Deno.test("decideNode() leaves a node that is heard as it is, and looks again when its grace ends", () => {
  const node = nodeOf([READY, DISK]);
  const verdict = decideNode({ node, lastAlive: ago(10), now: NOW });
  assert.deepEqual(verdict, {
    alive: true,
    conditions: [READY, DISK],
    taints: [],
    reported: undefined,
    again: seconds(30),
  });
});

Deno.test("decideNode() makes a silent node Unknown and tainted, and restores it when it is heard", () => {
  const foreign: Condition = { type: "CarrierUp", status: "True" };
  const other: Taint = { key: "gpu", effect: "NoSchedule" };
  const node = nodeOf([READY, DISK, foreign], { spec: { taints: [other] } });
  const silent = decideNode({ node, lastAlive: ago(40), now: NOW });
  assert.equal(silent.alive, false);
  assert.deepEqual(silent.conditions.map(({ status }) => status), ["Unknown", "Unknown", "True"]);
  assert.equal(silent.conditions[0]?.reason, "NodeStatusUnknown");
  assert.deepEqual(keys(silent.taints), [
    "gpu:NoSchedule",
    "node.kubernetes.io/unreachable:NoSchedule",
    "node.kubernetes.io/unreachable:NoExecute",
  ]);
  const marked = nodeOf([...silent.conditions], {
    metadata: { name: "gw", annotations: { [REPORTED]: silent.reported ?? "" } },
    spec: { taints: [...silent.taints] },
  });
  // Nothing more happens while it stays silent.
  const still = decideNode({ node: marked, lastAlive: ago(400), now: NOW });
  assert.deepEqual(still, silent);
  const heard = decideNode({ node: marked, lastAlive: NOW, now: NOW });
  assert.deepEqual(heard.conditions, [READY, DISK, foreign]);
  assert.deepEqual(heard.taints, [other]);
  assert.equal(heard.reported, undefined);
});

Deno.test("decideNode() prefers what a returning node says now over what it said last", () => {
  const sick: Condition = { type: "Ready", status: "False", reason: "RuntimeDown" };
  const old = JSON.stringify([READY]);
  const node = nodeOf([sick], { metadata: { name: "gw", annotations: { [REPORTED]: old } } });
  const verdict = decideNode({ node, lastAlive: NOW, now: NOW });
  assert.deepEqual(verdict.conditions, [sick]);
  assert.deepEqual(keys(verdict.taints), [
    "node.kubernetes.io/not-ready:NoSchedule",
    "node.kubernetes.io/not-ready:NoExecute",
  ]);
});

Deno.test("decideNode() taints by every condition, and takes away what no condition stands for", () => {
  const pressed = (status: Condition["status"]): Condition[] => [
    READY,
    ...["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"].map((type) => ({
      type,
      status,
    })),
  ];
  const sick = decideNode({ node: nodeOf(pressed("True")), lastAlive: NOW, now: NOW });
  assert.deepEqual(keys(sick.taints), [
    "node.kubernetes.io/memory-pressure:NoSchedule",
    "node.kubernetes.io/disk-pressure:NoSchedule",
    "node.kubernetes.io/network-unavailable:NoSchedule",
    "node.kubernetes.io/pid-pressure:NoSchedule",
  ]);
  const spec = { taints: [...sick.taints] };
  const same = decideNode({ node: nodeOf(pressed("True"), { spec }), lastAlive: NOW, now: NOW });
  assert.equal(same.taints, spec.taints);
  const well = decideNode({ node: nodeOf(pressed("False"), { spec }), lastAlive: NOW, now: NOW });
  assert.deepEqual(well.taints, []);
});

Deno.test("decideNode() takes rubbish in its annotation for nothing", () => {
  const unknown: Condition = { type: "Ready", status: "Unknown", reason: "NodeStatusUnknown" };
  for (const text of ["", "{", "null", "3", "[null]", '[{"type":3}]']) {
    const node = nodeOf([unknown], { metadata: { name: "gw", annotations: { [REPORTED]: text } } });
    const verdict = decideNode({ node, lastAlive: NOW, now: NOW });
    assert.deepEqual(verdict.conditions, [unknown], text);
  }
});

Deno.test("decideNode() gives a silent node that never reported a Ready condition of Unknown", () => {
  const verdict = decideNode({ node: nodeOf([]), lastAlive: ago(60), now: NOW });
  assert.deepEqual(verdict.conditions.map(({ type, status }) => [type, status]), [[
    "Ready",
    "Unknown",
  ]]);
});

const UNREACHABLE: Taint = {
  key: "node.kubernetes.io/unreachable",
  effect: "NoExecute",
  timeAdded: toTime(ago(100)),
};
const FOREIGN: Taint = { key: "drain", value: "now", effect: "NoExecute" };
const EXISTS: Toleration = { key: UNREACHABLE.key, operator: "Exists" };

const PODS: {
  name: string;
  tolerations?: Toleration[];
  taints?: Taint[];
  annotations?: Record<string, string>;
  alive?: boolean;
  ready?: Condition;
  leaving?: boolean;
  want: string;
}[] = [
  { name: "a pod without tolerations on a silent node", want: "mark False" },
  { name: "one that is marked already", ready: { type: "Ready", status: "False" }, want: "keep" },
  { name: "one that tolerates for ever", tolerations: [EXISTS], want: "mark False" },
  {
    name: "one whose toleration has run out",
    tolerations: [{ ...EXISTS, tolerationSeconds: 99 }],
    want: "evict",
  },
  {
    name: "one whose toleration runs on",
    tolerations: [{ ...EXISTS, tolerationSeconds: 130 }],
    ready: { type: "Ready", status: "False" },
    want: "keep, again in 30000",
  },
  {
    name: "the shortest of two tolerations counts",
    tolerations: [{ ...EXISTS, tolerationSeconds: 900 }, { ...EXISTS, tolerationSeconds: 1 }],
    want: "evict",
  },
  {
    name: "a node that asks for eviction in time",
    annotations: { "skerry.dev/evict-after": "60" },
    want: "evict",
  },
  {
    name: "a node that asks for eviction later",
    annotations: { "skerry.dev/evict-after": "600" },
    want: "mark False",
  },
  {
    name: "a node whose wish is no number",
    annotations: { "skerry.dev/evict-after": "soon" },
    want: "mark False",
  },
  { name: "somebody's NoExecute taint", taints: [FOREIGN], alive: true, want: "evict" },
  {
    name: "somebody's NoExecute taint, tolerated",
    taints: [FOREIGN],
    tolerations: [{ key: "drain", operator: "Equal", value: "now", effect: "NoExecute" }],
    alive: true,
    want: "keep",
  },
  {
    name: "a taint that only keeps new pods off",
    taints: [{ key: "x", effect: "NoSchedule" }],
    alive: true,
    want: "keep",
  },
  { name: "a pod on its way out", leaving: true, taints: [FOREIGN], want: "keep" },
  {
    name: "a marked pod of a node that is heard again",
    alive: true,
    taints: [],
    ready: { type: "Ready", status: "False", reason: "NodeStatusUnknown" },
    want: "mark True",
  },
  {
    name: "a pod that its node itself calls not ready",
    alive: true,
    taints: [],
    ready: { type: "Ready", status: "False", reason: "ContainersNotReady" },
    want: "keep",
  },
];

for (const { name, want, ...given } of PODS) {
  Deno.test(`decidePod() says "${want}" for ${name}`, () => {
    const pod: Pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: "p",
        namespace: "default",
        ...(given.leaving ? { deletionTimestamp: toTime(NOW) } : {}),
      },
      spec: {
        containers: [],
        ...(given.tolerations ? { tolerations: given.tolerations } : {}),
      },
      status: { phase: "Running", conditions: [given.ready ?? READY] },
    };
    const node = nodeOf([READY], {
      metadata: { name: "gw", ...(given.annotations ? { annotations: given.annotations } : {}) },
    });
    const taints = given.taints ?? [UNREACHABLE];
    const verdict = decidePod({ pod, node, taints, alive: given.alive ?? false, now: NOW });
    const got = verdict.do === "mark"
      ? `mark ${verdict.conditions[0]?.status}`
      : verdict.do === "keep" && verdict.again !== undefined
      ? `keep, again in ${verdict.again}`
      : verdict.do;
    assert.equal(got, want);
  });
}

Deno.test("dueNodes() renews each node about every 10 s, spread over the slots, and no silent one", () => {
  const names = Array.from({ length: 1000 }, (_, i) => `gw-${i}`);
  const renewed = new Map<string, Ms>();
  const times = new Map<string, number[]>();
  let largest = 0;
  for (let step = 0; step < 80; step++) {
    const now = (NOW + step * RENEW_EVERY / 20) as Ms;
    const sessions = [
      ...names.map((node) => ({ node, lastSeen: now })),
      { node: "silent", lastSeen: ago(60) },
    ];
    const due = dueNodes(sessions, { slot: step % 20, renewed, now, at: now });
    if (step >= 1) largest = Math.max(largest, due.length);
    for (const { node } of due) {
      renewed.set(node, now);
      times.set(node, [...times.get(node) ?? [], now]);
    }
  }
  assert.equal(times.has("silent"), false);
  assert.equal(times.size, 1000);
  assert.ok(largest <= 100, `${largest} in one slot`);
  for (const [node, list] of times) {
    for (let i = 1; i < list.length; i++) {
      const gap = (list[i] ?? 0) - (list[i - 1] ?? 0);
      assert.ok(gap <= RENEW_EVERY + 500, `${node}: ${gap} ms`);
    }
    // The first slot takes them all, then each falls into its own.
    assert.ok(list.length >= 4 && list.length <= 6, `${node}: ${list.length}`);
  }
});
