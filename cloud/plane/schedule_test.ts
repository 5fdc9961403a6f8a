import assert from "node:assert/strict";
import fc from "fast-check";
import {
  matchesNode,
  type Node,
  type NodeSelectorTerm,
  type Pod,
  type PodSpec,
  requestsOf,
} from "../../core/api/mod.ts";
import { readyNode } from "./harness_test_helper.ts";
import { schedule } from "./schedule.ts";
import { taintsOf } from "./taints.ts";

function podOf(spec: Partial<PodSpec> = {}, owner?: string): Pod {
  const controller = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "rs", controller: true };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "p",
      namespace: "default",
      ...(owner ? { ownerReferences: [{ ...controller, uid: owner }] } : {}),
    },
    spec: { containers: [], ...spec },
  };
}

function asking(requests: Record<string, string>): Partial<PodSpec> {
  return { containers: [{ name: "c", image: "x", resources: { requests } }] };
}

function hostPort(port: number, hostIP?: string): Partial<PodSpec> {
  const ports = [{ containerPort: 80, hostPort: port, ...(hostIP ? { hostIP } : {}) }];
  return { containers: [{ name: "c", image: "x", ports }] };
}

function requiring(...nodeSelectorTerms: NodeSelectorTerm[]): Partial<PodSpec> {
  const requiredDuringSchedulingIgnoredDuringExecution = { nodeSelectorTerms };
  return { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution } } };
}

const EDGE = readyNode("edge", { metadata: { name: "edge", labels: { zone: "dock", gen: "3" } } });
const TAINTED = readyNode("tainted", {
  spec: { taints: [{ key: "gpu", value: "yes", effect: "NoSchedule" }] },
});
const CORDONED = readyNode("cordoned", { spec: { unschedulable: true } });
const withCondition = (name: string, type: string): Node => {
  const node = readyNode(name);
  const conditions = [...node.status?.conditions ?? [], { type, status: "True" as const }];
  return { ...node, status: { ...node.status, conditions } };
};
const withReady = (name: string, status: "False" | "Unknown"): Node =>
  readyNode(name, {
    status: {
      conditions: [{ type: "Ready", status }],
      allocatable: { cpu: "4", memory: "8Gi", pods: "110" },
    },
  });
const TINY = readyNode("tiny", { status: { allocatable: { cpu: "1", memory: "1Gi", pods: "1" } } });

const CASES: {
  name: string;
  pod?: Partial<PodSpec>;
  owner?: string;
  nodes: Node[];
  on?: Record<string, Pod[]>;
  want: string;
}[] = [
  { name: "no nodes", nodes: [], want: "no nodes available to schedule pods" },
  { name: "one good node", nodes: [EDGE], want: "-> edge" },
  {
    name: "nodes that are unfit for many reasons",
    pod: asking({ cpu: "2" }),
    nodes: [TAINTED, CORDONED, withReady("off", "Unknown"), withReady("new", "False"), TINY],
    want: "0/5 nodes are available: 1 Insufficient cpu, " +
      "1 node(s) had untolerated taint {gpu: yes}, " +
      "1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }, " +
      "1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }, " +
      "1 node(s) were unschedulable.",
  },
  {
    name: "a node without a Ready condition",
    nodes: [readyNode("new", { status: { conditions: [], allocatable: { pods: "9" } } })],
    want: "0/1 nodes are available: " +
      "1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.",
  },
  {
    name: "a node that does not say how many pods it takes",
    nodes: [readyNode("new", { status: { allocatable: {} } })],
    want: "0/1 nodes are available: 1 Too many pods.",
  },
  {
    name: "several resources that do not fit",
    pod: asking({ cpu: "2", memory: "2Gi", "example.com/gpu": "1" }),
    nodes: [TINY],
    on: { tiny: [podOf()] },
    want: "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient example.com/gpu, " +
      "1 Insufficient memory, 1 Too many pods.",
  },
  {
    name: "what fits exactly",
    pod: asking({ cpu: "1000m", memory: "1Gi" }),
    nodes: [TINY],
    want: "-> tiny",
  },
  {
    name: "ended pods, which take no room",
    nodes: [TINY],
    on: { tiny: [{ ...podOf(asking({ cpu: "1" })), status: { phase: "Succeeded" } }] },
    want: "-> tiny",
  },
  {
    name: "a toleration of the taint",
    pod: { tolerations: [{ key: "gpu", operator: "Equal", value: "yes" }] },
    nodes: [TAINTED],
    want: "-> tainted",
  },
  {
    name: "a toleration of another value",
    pod: { tolerations: [{ key: "gpu", operator: "Equal", value: "no" }] },
    nodes: [TAINTED],
    want: "0/1 nodes are available: 1 node(s) had untolerated taint {gpu: yes}.",
  },
  {
    name: "a toleration of everything, on a cordoned node that is off",
    pod: { tolerations: [{ operator: "Exists" }] },
    nodes: [{ ...withReady("x", "Unknown"), spec: { unschedulable: true } }],
    want: "-> x",
  },
  {
    name: "a node under pressure, before it is tainted",
    nodes: [withCondition("full", "DiskPressure")],
    want: "0/1 nodes are available: " +
      "1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }.",
  },
  {
    name: "a node under memory pressure that the pod tolerates",
    pod: { tolerations: [{ key: "node.kubernetes.io/memory-pressure", operator: "Exists" }] },
    nodes: [withCondition("full", "MemoryPressure")],
    want: "-> full",
  },
  {
    name: "a nodeSelector",
    pod: { nodeSelector: { zone: "dock" } },
    nodes: [readyNode("a"), EDGE],
    want: "-> edge",
  },
  {
    name: "a nodeSelector that nothing meets",
    pod: { nodeSelector: { zone: "quay" } },
    nodes: [EDGE],
    want: "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
  },
  {
    name: "a host port that is taken",
    pod: hostPort(80),
    nodes: [EDGE],
    on: { edge: [podOf(hostPort(80, "127.0.0.1"))] },
    want: "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
  },
  {
    name: "a host port that is taken at another address",
    pod: hostPort(80, "127.0.0.2"),
    nodes: [EDGE],
    on: { edge: [podOf(hostPort(80, "127.0.0.1"))] },
    want: "-> edge",
  },
  {
    name: "siblings, which are spread before room counts",
    owner: "u1",
    nodes: [readyNode("a"), TINY],
    on: { a: [podOf({}, "u1")] },
    want: "-> tiny",
  },
  {
    name: "strangers, where the emptier node wins",
    pod: asking({ cpu: "1" }),
    nodes: [readyNode("a"), readyNode("b")],
    on: { a: [podOf(asking({ cpu: "1" }))] },
    want: "-> b",
  },
  {
    name: "equal nodes, where the name decides",
    nodes: [readyNode("b"), readyNode("a")],
    want: "-> a",
  },
  {
    name: "a PreferNoSchedule taint, which is avoided",
    nodes: [
      readyNode("a", { spec: { taints: [{ key: "old", effect: "PreferNoSchedule" }] } }),
      readyNode("b"),
    ],
    on: { b: [podOf(), podOf()] },
    want: "-> b",
  },
];

for (const { name, pod, owner, nodes, on = {}, want } of CASES) {
  Deno.test(`schedule() with ${name}: ${want.slice(0, 40)}`, () => {
    const placement = schedule({ pod: podOf(pod, owner), nodes, podsOn: (node) => on[node] ?? [] });
    assert.equal(placement.node === undefined ? placement.message : `-> ${placement.node}`, want);
  });
}

const TERMS: { name: string; terms: NodeSelectorTerm[]; want: boolean }[] = [
  { name: "no terms", terms: [], want: false },
  { name: "an empty term", terms: [{}], want: false },
  {
    name: "In",
    terms: [{ matchExpressions: [{ key: "zone", operator: "In", values: ["a", "dock"] }] }],
    want: true,
  },
  {
    name: "NotIn of an absent label",
    terms: [{ matchExpressions: [{ key: "none", operator: "NotIn", values: ["a"] }] }],
    want: true,
  },
  {
    name: "Exists and DoesNotExist together",
    terms: [{
      matchExpressions: [{ key: "zone", operator: "Exists" }, {
        key: "none",
        operator: "DoesNotExist",
      }],
    }],
    want: true,
  },
  {
    name: "Gt",
    terms: [{ matchExpressions: [{ key: "gen", operator: "Gt", values: ["2"] }] }],
    want: true,
  },
  {
    name: "Lt of the same number",
    terms: [{ matchExpressions: [{ key: "gen", operator: "Lt", values: ["3"] }] }],
    want: false,
  },
  {
    name: "Gt of a word",
    terms: [{ matchExpressions: [{ key: "zone", operator: "Gt", values: ["2"] }] }],
    want: false,
  },
  {
    name: "an operator nobody knows",
    terms: [{ matchExpressions: [{ key: "zone", operator: "Like", values: ["d*"] }] }],
    want: false,
  },
  {
    name: "a field",
    terms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: ["edge"] }] }],
    want: true,
  },
  {
    name: "a field nobody knows",
    terms: [{ matchFields: [{ key: "metadata.uid", operator: "NotIn", values: ["x"] }] }],
    want: false,
  },
  {
    name: "one of two terms",
    terms: [
      { matchExpressions: [{ key: "none", operator: "Exists" }] },
      { matchExpressions: [{ key: "zone", operator: "Exists" }] },
    ],
    want: true,
  },
  {
    name: "a term of which half holds",
    terms: [{
      matchExpressions: [{ key: "zone", operator: "Exists" }],
      matchFields: [{ key: "metadata.name", operator: "In", values: ["other"] }],
    }],
    want: false,
  },
];

for (const { name, terms, want } of TERMS) {
  Deno.test(`matchesNode() is ${want} for ${name}`, () => {
    assert.equal(matchesNode({ containers: [], ...requiring(...terms) }, EDGE), want);
  });
}

Deno.test("requestsOf() adds containers, takes the peak of init containers, and counts sidecars twice", () => {
  const container = (cpu: string, more: object = {}) => ({
    name: cpu,
    image: "x",
    resources: { requests: { cpu } },
    ...more,
  });
  const requests = (spec: Partial<PodSpec>) => requestsOf(podOf(spec)).get("cpu");
  assert.equal(requests({ containers: [container("100m"), container("0.2")] }), 300);
  assert.equal(
    requests({ containers: [container("100m")], initContainers: [container("1")] }),
    1000,
  );
  assert.equal(
    requests({
      containers: [container("100m")],
      initContainers: [container("50m", { restartPolicy: "Always" }), container("1")],
    }),
    1050,
  );
  assert.equal(requests({ containers: [container("100m")], overhead: { cpu: "10m" } }), 110);
  assert.equal(requests({ containers: [container("rubbish")] }), undefined);
});

Deno.test("schedule() never overfills a node, whatever comes in whatever order", () => {
  const cpu = fc.integer({ min: 1, max: 1500 }).map((milli) => `${milli}m`);
  fc.assert(fc.property(fc.array(cpu, { maxLength: 40 }), (requests) => {
    const nodes = [readyNode("a"), TINY, EDGE];
    const on = new Map<string, Pod[]>(nodes.map((node) => [node.metadata.name, []]));
    for (const request of requests) {
      const pod = podOf(asking({ cpu: request }), "u1");
      const { node } = schedule({ pod, nodes, podsOn: (name) => on.get(name) ?? [] });
      if (node !== undefined) on.get(node)?.push(pod);
    }
    const used = (name: string) =>
      (on.get(name) ?? []).reduce((sum, pod) => sum + (requestsOf(pod).get("cpu") ?? 0), 0);
    assert.ok(used("a") <= 4000 && used("edge") <= 4000 && used("tiny") <= 1000);
    assert.ok((on.get("tiny") ?? []).length <= 1);
  }));
});

Deno.test("schedule() leaves out nodes and pods that cannot be read, and tells of them", () => {
  const bad = readyNode("bad", { spec: { taints: 7 as never } });
  const odd = podOf({ containers: [null] as never });
  const told: string[] = [];
  const placement = schedule({
    pod: podOf(asking({ cpu: "1" })),
    nodes: [bad, readyNode("good")],
    podsOn: (node) => node === "good" ? [odd] : [],
    onUnreadable: ({ kind, metadata }) => void told.push(`${kind} ${metadata.name}`),
  });
  assert.deepEqual(placement, { node: "good" });
  assert.deepEqual(told, ["Node bad", "Pod p"]);
  const none = schedule({ pod: podOf(), nodes: [bad], podsOn: () => [] });
  assert.match("message" in none ? none.message : "", /1 node\(s\) could not be read/);
});

Deno.test("taintsOf() takes a node whose conditions cannot be read for not ready", () => {
  for (const conditions of ["x", [null], 7]) {
    const node = readyNode("n", { status: { conditions: conditions as never } });
    assert.deepEqual(taintsOf(node).map(({ key }) => key), ["node.kubernetes.io/not-ready"]);
  }
});
