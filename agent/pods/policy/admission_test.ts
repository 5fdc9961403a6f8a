import assert from "node:assert/strict";
import type { Node, Pod, PodSpec, Taint } from "../../../core/api/mod.ts";
import { ms, toTime } from "../../../core/base/mod.ts";
import { type AdmissionInput, admit } from "./admission.ts";
import { taintEndsAt } from "./taint_eviction.ts";

const NOW = ms(Date.UTC(2026, 0, 1));

function podOf(name: string, spec: Partial<PodSpec> = {}, labels = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, uid: name, namespace: "default", labels },
    spec: { containers: [{ name: "c", image: "i" }], ...spec },
  };
}

/** A pod that asks for this much; equal limits make it Guaranteed. */
function asking(
  name: string,
  requests: Record<string, string>,
  more: Partial<PodSpec> & { limits?: Record<string, string> } = {},
): Pod {
  const { limits, ...spec } = more;
  const resources = { requests, ...(limits ? { limits } : {}) };
  return podOf(name, { containers: [{ name: "c", image: "i", resources }], ...spec });
}

function nodeOf(taints: Taint[] = []): Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "gw", labels: { "kubernetes.io/os": "linux", zone: "dock" } },
    spec: { taints },
    status: {
      allocatable: { cpu: "2", memory: "1Gi", pods: "3", "example.com/tpu": "1" },
    },
  };
}

function setting(name: string, spec: Partial<PodSpec> = {}): Pod {
  return podOf("p", { ...spec, securityContext: { sysctls: [{ name, value: "1" }] } });
}

const EXISTS = { operator: "Exists" } as const;
const BUSY = [asking("a", { cpu: "1500m" }), asking("b", { memory: "512Mi" })];

const CASES: readonly {
  readonly about: string;
  readonly pod: Pod;
  readonly others?: readonly Pod[];
  readonly taints?: Taint[];
  readonly own?: readonly string[];
  readonly pressures?: readonly string[];
  /** `""` for let in, `victims: a b` for let in at the cost of others. */
  readonly want: string;
}[] = [
  {
    about: "room for it",
    pod: asking("p", { cpu: "500m", memory: "512Mi" }),
    others: BUSY,
    want: "",
  },
  {
    about: "too little CPU",
    pod: asking("p", { memory: "1Gi", cpu: "501m" }),
    others: BUSY,
    want: "OutOfcpu: Node didn't have enough resource: cpu, requested: 501, used: 1500, " +
      "capacity: 2000",
  },
  {
    about: "too little memory",
    pod: asking("p", { memory: "513Mi" }),
    others: BUSY,
    want: "OutOfmemory: Node didn't have enough resource: memory, requested: 537919488, " +
      "used: 536870912, capacity: 1073741824",
  },
  {
    about: "too many pods",
    pod: podOf("p"),
    others: [...BUSY, podOf("c")],
    want: "OutOfpods: Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3",
  },
  {
    about: "devices, which are set aside for a pod before",
    pod: asking("p", { "example.com/tpu": "1" }),
    others: [asking("a", { "example.com/tpu": "1" })],
    want: "",
  },
  {
    about: "storage where the disk cannot be measured",
    pod: asking("p", { "ephemeral-storage": "1Gi" }),
    want: "",
  },
  {
    about: "huge pages, of which there are none",
    pod: asking("p", { "hugepages-2Mi": "2Mi" }),
    want: "OutOfhugepages-2Mi: Node didn't have enough resource: hugepages-2Mi, " +
      "requested: 2097152, used: 0, capacity: 0",
  },
  {
    about: "another zone",
    pod: podOf("p", { nodeSelector: { zone: "roof" } }),
    want: "NodeAffinity: Predicate NodeAffinity failed: " +
      "node(s) didn't match Pod's node affinity/selector",
  },
  {
    about: "a host port that is taken",
    pod: podOf("p", {
      containers: [{ name: "c", image: "i", ports: [{ containerPort: 80, hostPort: 8080 }] }],
    }),
    others: [podOf("a", {
      containers: [{ name: "c", image: "i", ports: [{ containerPort: 1, hostPort: 8080 }] }],
    })],
    want: "NodePorts: Predicate NodePorts failed: " +
      "node(s) didn't have free ports for the requested pod ports",
  },
  {
    about: "kernel settings that harm nobody, and those that are allowed here",
    pod: podOf("p", {
      securityContext: {
        sysctls: ["net.ipv4.tcp_syncookies", "net/ipv4/tcp_rmem", "net.core.somaxconn"]
          .concat("kernel.msgmax").map((name) => ({ name, value: "1" })),
      },
    }),
    want: "",
  },
  {
    about: "a kernel setting that is not safe",
    pod: setting("kernel.shmmax"),
    want:
      "SysctlForbidden: forbidden sysctl: kernel.shmmax is not on the safe list (agent option " +
      "--allowed-unsafe-sysctls)",
  },
  {
    about: "a kernel setting of the machine",
    pod: setting("vm.swappiness"),
    want: "SysctlForbidden: forbidden sysctl: vm.swappiness is the whole machine's",
  },
  {
    about: "a setting of the network, which is the machine's",
    pod: setting("net.core.somaxconn", { hostNetwork: true }),
    want: "SysctlForbidden: forbidden sysctl: net.core.somaxconn is not allowed with hostNetwork",
  },
  {
    about: "a setting of what processes share, which is the machine's",
    pod: setting("kernel.msgmax", { hostIPC: true }),
    want: "SysctlForbidden: forbidden sysctl: kernel.msgmax is not allowed with hostIPC",
  },
  {
    about: "another system",
    pod: podOf("p", { os: { name: "windows" } }),
    want: "PodOSNotSupported: Failed to admit pod as the OS field doesn't match node OS",
  },
  {
    about: "a label of another system",
    pod: podOf("p", {}, { "kubernetes.io/os": "windows" }),
    want: "PodOSSelectorNodeLabelDoesNotMatch: Failed to admit pod as the `kubernetes.io/os` " +
      "label doesn't match node label",
  },
  {
    about: "a NoExecute taint",
    pod: podOf("p"),
    taints: [{ key: "repair", effect: "NoExecute" }],
    want: "TaintToleration: Predicate TaintToleration failed: " +
      "node(s) had taints that the pod didn't tolerate",
  },
  {
    about: "a NoExecute taint that it tolerates",
    pod: podOf("p", { tolerations: [EXISTS] }),
    taints: [{ key: "repair", effect: "NoExecute" }],
    want: "",
  },
  {
    about: "a NoExecute taint, as one of the node's own",
    pod: podOf("p"),
    own: ["p"],
    taints: [{ key: "repair", effect: "NoExecute" }],
    want: "",
  },
  {
    about: "a NoSchedule taint: whoever bound it knew",
    pod: podOf("p"),
    taints: [{ key: "repair", effect: "NoSchedule" }],
    want: "",
  },
  {
    about: "what the hub said of the node while it did not hear it",
    pod: podOf("p"),
    taints: [{ key: "node.kubernetes.io/unreachable", effect: "NoExecute" }],
    want: "",
  },
  {
    about: "memory pressure, BestEffort",
    pod: podOf("p"),
    pressures: ["MemoryPressure"],
    want: "Evicted: The node had condition: [MemoryPressure]. ",
  },
  {
    about: "memory pressure, BestEffort, tolerated",
    pod: podOf("p", {
      tolerations: [{ key: "node.kubernetes.io/memory-pressure", operator: "Exists" }],
    }),
    pressures: ["MemoryPressure"],
    want: "",
  },
  {
    about: "memory pressure, Burstable",
    pod: asking("p", { memory: "1Mi" }),
    pressures: ["MemoryPressure"],
    want: "",
  },
  {
    about: "disk pressure",
    pod: asking("p", { memory: "1Mi" }),
    pressures: ["MemoryPressure", "DiskPressure"],
    want: "Evicted: The node had condition: [MemoryPressure DiskPressure]. ",
  },
  {
    about: "disk pressure, critical",
    pod: podOf("p", { priorityClassName: "system-node-critical" }),
    pressures: ["DiskPressure"],
    want: "",
  },
  {
    about: "no room for a critical one: the least promised ends, and no more than one",
    pod: asking("p", { cpu: "600m" }, { priority: 2_000_000_000 }),
    others: [
      asking("sure", { cpu: "1", memory: "1Mi" }, { limits: { cpu: "1", memory: "1Mi" } }),
      asking("large", { cpu: "600m" }),
      asking("small", { cpu: "400m" }),
    ],
    want: "victims: large",
  },
  {
    about: "no place for a critical one: a BestEffort pod ends",
    pod: podOf("p"),
    own: ["p"],
    others: [...BUSY, podOf("idle")],
    want: "victims: idle",
  },
  {
    about: "no room for a critical one that only critical ones could make",
    pod: asking("p", { cpu: "1" }, { priority: 2_000_000_000 }),
    others: [asking("a", { cpu: "2" }, { priority: 2_000_001_000 })],
    want: "UnexpectedAdmissionError: Unexpected error while attempting to recover from admission " +
      "failure: preemption: error finding a set of pods to preempt: no set of running pods found " +
      "to reclaim resources: [(res: cpu, q: 1000), ]",
  },
];

for (const { about, pod, want, others = [], taints, own = [], pressures = [] } of CASES) {
  Deno.test(`admit() answers as a kubelet: ${about}`, () => {
    const input: AdmissionInput = {
      pod,
      others,
      node: nodeOf(taints),
      isOwn: ({ metadata }) => own.includes(metadata.name),
      pressures: new Set(pressures),
      allowedUnsafeSysctls: ["net.core.*", "kernel.msgmax"],
    };
    const answer = admit(input);
    const text = answer.do === "admit"
      ? ""
      : answer.do === "preempt"
      ? `victims: ${answer.victims.map(({ metadata }) => metadata.name).join(" ")}`
      : `${answer.rejection.reason}: ${answer.rejection.message}`;
    assert.equal(text, want);
  });
}

const SINCE = toTime(ms(NOW - 60_000));
const TAINT: Taint = { key: "repair", value: "now", effect: "NoExecute", timeAdded: SINCE };

const ENDS: readonly {
  readonly about: string;
  readonly tolerations?: PodSpec["tolerations"];
  readonly taints?: readonly Taint[];
  /** Seconds from now. */
  readonly want: number | undefined;
}[] = [
  { about: "no taints", taints: [], want: undefined },
  { about: "one that is not tolerated", want: -60 },
  { about: "one without a time", taints: [{ ...TAINT, timeAdded: "" }], want: 0 },
  { about: "one that is tolerated", tolerations: [EXISTS], want: undefined },
  {
    about: "one that is tolerated for a time, the shortest",
    tolerations: [EXISTS, { ...EXISTS, tolerationSeconds: 300 }, {
      key: "repair",
      ...EXISTS,
      tolerationSeconds: 90,
    }],
    want: 30,
  },
  {
    about: "two, one of them tolerated for a time",
    tolerations: [{ key: "repair", ...EXISTS, tolerationSeconds: 90 }],
    taints: [TAINT, { ...TAINT, key: "other" }],
    want: -60,
  },
  {
    about: "one that keeps new pods away",
    taints: [{ ...TAINT, effect: "NoSchedule" }],
    want: undefined,
  },
  {
    about: "what the hub said while it did not hear the node",
    taints: [{ ...TAINT, key: "node.kubernetes.io/unreachable" }],
    want: undefined,
  },
];

for (const { about, tolerations, taints = [TAINT], want } of ENDS) {
  Deno.test(`taintEndsAt() counts from when the taint was added: ${about}`, () => {
    const pod = podOf("p", tolerations ? { tolerations } : {});
    const at = taintEndsAt(pod, taints, NOW);
    assert.equal(at === undefined ? undefined : (at - NOW) / 1000, want);
  });
}
