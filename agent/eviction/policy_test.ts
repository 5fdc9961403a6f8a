import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import type { Pod, PodSpec } from "../../core/api/mod.ts";
import { bytes, mib, minutes, ms, seconds } from "../../core/base/mod.ts";
import { AGENT_OPTIONS } from "../../core/parts/mod.ts";
import { hasLimits, limitExceeded } from "./limits.ts";
import { CALM, observePressure, pressuresOf } from "./pressure.ts";
import { rankPods } from "./rank.ts";
import { parsePids } from "./signals.ts";
import {
  isMet,
  type Observations,
  parseThresholds,
  type Signal,
  type Threshold,
} from "./thresholds.ts";
import type { PodUsage, Usages } from "./usage.ts";
import { pressureEviction } from "./words.ts";

const GIB = mib(1024);

Deno.test("parseThresholds() reads what a kubelet's options say", () => {
  deepStrictEqual(
    parseThresholds(AGENT_OPTIONS["eviction-hard"].fallback).map((
      { signal, below },
    ) => [signal, below]),
    [
      ["memory.available", { amount: mib(100) }],
      ["nodefs.available", { share: 0.1 }],
      ["nodefs.inodesFree", { share: 0.05 }],
      ["imagefs.available", { share: 0.15 }],
      ["imagefs.inodesFree", { share: 0.05 }],
    ],
  );
  deepStrictEqual(
    parseThresholds("memory.available<1.5Gi, pid.available<7.5%", "memory.available=1Gi"),
    [
      { signal: "memory.available", below: { amount: 1.5 * GIB }, reclaim: { amount: GIB } },
      { signal: "pid.available", below: { share: 0.075 } },
    ],
  );
  deepStrictEqual(parseThresholds("nodefs.available<0%,imagefs.available<100%"), []);
  deepStrictEqual(parseThresholds(""), []);
});

for (
  const [text, why] of [
    ["memory.available>1Gi", /must be SIGNAL<AMOUNT with one of memory.available, /],
    ["disk.available<1Gi", /disk.available<1Gi: must be SIGNAL<AMOUNT/],
    ["memory.available<1Gi<2Gi", /must be SIGNAL<AMOUNT/],
    ["memory.available<lots", /must be a quantity or a share/],
    ["memory.available<0", /must be more than nothing/],
    ["memory.available<101%", /must be from 0% to 100%/],
    ["pid.available<1%,pid.available<2%", /stands there twice/],
  ] as const
) {
  Deno.test(`parseThresholds() names what it cannot read: ${text}`, () => {
    throws(() => parseThresholds(text), why);
  });
}

const THRESHOLDS = parseThresholds(
  "nodefs.available<10%,memory.available<100Mi",
  "memory.available=50Mi",
);

function seen(memory: number, disk: number): Observations {
  return {
    "memory.available": { available: mib(memory), capacity: GIB },
    "nodefs.available": { available: disk, capacity: 100 },
  };
}

Deno.test("isMet() compares what is left, and knows nothing of what is not measured", () => {
  const [disk, memory] = THRESHOLDS as [Threshold, Threshold];
  strictEqual(isMet(memory, seen(99, 50)), true);
  strictEqual(isMet(memory, seen(100, 50)), false);
  strictEqual(isMet(memory, seen(149, 50), { reclaim: true }), true);
  strictEqual(isMet(disk, seen(99, 10)), false);
  strictEqual(isMet(disk, seen(99, 9)), true);
  strictEqual(isMet(disk, {}), false);
});

Deno.test("observePressure() keeps a pressure for 5 min and a threshold until enough is reclaimed", () => {
  const steps: readonly [
    at: number,
    memory: number,
    disk: number,
    pressures: string,
    met: string,
  ][] = [
    [0, 500, 50, "", ""],
    [10, 90, 9, "MemoryPressure DiskPressure", "memory.available nodefs.available"],
    [20, 120, 50, "MemoryPressure DiskPressure", "memory.available"],
    [30, 150, 50, "MemoryPressure DiskPressure", ""],
    [309, 150, 50, "MemoryPressure DiskPressure", ""],
    [311, 150, 50, "MemoryPressure", ""],
    [320, 120, 50, "", ""],
    [330, 120, 9, "DiskPressure", "nodefs.available"],
  ];
  let state = CALM;
  for (const [at, memory, disk, pressures, met] of steps) {
    state = observePressure(state, THRESHOLDS, seen(memory, disk), seconds(at));
    strictEqual([...pressuresOf(state)].join(" "), pressures, `pressures at ${at} s`);
    strictEqual(state.met.map(({ signal }) => signal).join(" "), met, `met at ${at} s`);
  }
  strictEqual(pressuresOf(observePressure(state, [], {}, ms(minutes(99)))).size, 0);
});

function podOf(name: string, spec: Partial<PodSpec> = {}, storage?: string, memory?: string): Pod {
  const requests = {
    ...(memory ? { memory } : {}),
    ...(storage ? { "ephemeral-storage": storage } : {}),
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, uid: name, namespace: "default" },
    spec: { containers: [{ name: "c", image: "i", resources: { requests } }], ...spec },
  };
}

function usageOf(use: {
  memory?: number;
  processes?: number;
  rootfs?: number;
  logs?: number;
  volume?: number;
  inodes?: number;
}): PodUsage {
  const { memory = 0, processes = 0, rootfs = 0, logs = 0, volume = 0, inodes = 0 } = use;
  return {
    memory: new Map([["c", memory]]),
    processes,
    rootfs: new Map([["c", { used: rootfs, inodes: 0 }]]),
    logs: new Map([["c", { used: logs, inodes: 1 }]]),
    volumes: [
      { name: "v", memory: false, used: bytes(volume), inodes },
      { name: "tmpfs", memory: true, used: bytes(1e9), inodes: 1e6 },
    ],
  };
}

const PODS = [
  podOf("sure", { priority: 0 }, "100", "100"),
  podOf("over", { priority: 0 }, "100", "100"),
  podOf("more", { priority: 0 }),
  podOf("important", { priority: 1000 }),
  podOf("unknown", { priority: 5000 }, "100", "100"),
];

const RANKS: readonly {
  readonly signal: Signal;
  readonly apart?: boolean;
  readonly uses: Readonly<Record<string, Parameters<typeof usageOf>[0]>>;
  readonly want: string;
}[] = [
  {
    signal: "memory.available",
    uses: {
      sure: { memory: 90 },
      over: { memory: 150 },
      more: { memory: 60 },
      important: { memory: 999 },
    },
    want: "unknown more over important sure",
  },
  {
    signal: "nodefs.available",
    uses: {
      sure: { rootfs: 50, logs: 40 },
      over: { rootfs: 50, logs: 30, volume: 30 },
      more: { volume: 11 },
      important: { logs: 999 },
    },
    want: "unknown more over important sure",
  },
  {
    signal: "nodefs.available",
    apart: true,
    uses: {
      sure: { rootfs: 999, logs: 40 },
      over: { rootfs: 50, logs: 101 },
      more: { volume: 11 },
      important: { rootfs: 999 },
    },
    want: "unknown more over sure important",
  },
  {
    signal: "imagefs.available",
    apart: true,
    uses: {
      sure: { rootfs: 1, logs: 999 },
      over: { rootfs: 101 },
      more: { volume: 999 },
      important: { rootfs: 1 },
    },
    want: "unknown over important more sure",
  },
  {
    signal: "nodefs.inodesFree",
    uses: {
      sure: { inodes: 1 },
      over: { inodes: 200 },
      more: { inodes: 100 },
      important: { inodes: 999 },
    },
    want: "unknown over more sure important",
  },
  {
    signal: "pid.available",
    uses: {
      sure: { processes: 3 },
      over: { processes: 9 },
      more: { processes: 5 },
      important: { processes: 999 },
    },
    want: "over more sure important unknown",
  },
];

for (const { signal, apart = false, uses, want } of RANKS) {
  Deno.test(`rankPods() ranks for ${signal} as a kubelet${apart ? ", images apart" : ""}`, () => {
    const usages: Usages = new Map(
      Object.entries(uses).map(([name, use]) => [name, usageOf(use)]),
    );
    const ranked = rankPods(signal, PODS, usages, apart);
    strictEqual(ranked.map(({ metadata }) => metadata.name).join(" "), want);
  });
}

Deno.test("pressureEviction() speaks the kubelet's words", () => {
  const [disk, memory] = THRESHOLDS as [Threshold, Threshold];
  const pod = podOf("web", {}, "1Mi", "50Mi");
  const usage = usageOf({ memory: mib(60) + 2048, rootfs: mib(1), logs: 512 });
  const order = pressureEviction(memory, seen(90, 50), pod, usage);
  const message = "The node was low on resource: memory. Threshold quantity: 100Mi, available: " +
    "90Mi. Container c was using 61442Ki, request is 50Mi, has larger consumption of memory. ";
  deepStrictEqual(order, {
    reason: "Evicted",
    message,
    grace: 1000,
    condition: { type: "DisruptionTarget", reason: "TerminationByKubelet", message },
  });
  strictEqual(
    pressureEviction(disk, seen(90, 9), pod, usage).message,
    "The node was low on resource: ephemeral-storage. Threshold quantity: 10, available: 9. " +
      "Container c was using 1049088, request is 1Mi, has larger consumption of " +
      "ephemeral-storage. ",
  );
  strictEqual(
    pressureEviction(memory, {}, podOf("web"), undefined).message,
    "The node was low on resource: memory. ",
  );
});

const LIMITS = { "ephemeral-storage": "1Mi" };
const LIMITED = podOf("web", {
  volumes: [{ name: "v", emptyDir: { sizeLimit: "2Mi" } }],
  containers: [
    { name: "c", image: "i", resources: { limits: LIMITS } },
    { name: "d", image: "i", resources: { limits: LIMITS } },
  ],
});

for (
  const [about, use, apart, want] of [
    ["nothing", {}, false, undefined],
    [
      "a volume",
      { volume: mib(2) + 1 },
      false,
      'Usage of EmptyDir volume "v" exceeds the limit "2Mi". ',
    ],
    [
      "the pod",
      { volume: mib(1), rootfs: mib(1), logs: 1 },
      false,
      "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. ",
    ],
    [
      "a container",
      { rootfs: mib(1), logs: 1 },
      false,
      'Container c exceeded its local ephemeral storage limit "1Mi". ',
    ],
    ["a writable layer on another disk", { rootfs: mib(1), logs: 1 }, true, undefined],
  ] as const
) {
  Deno.test(`limitExceeded() names what goes beyond its limit: ${about}`, () => {
    strictEqual(limitExceeded(LIMITED, usageOf(use), { imagesApart: apart }), want);
  });
}

Deno.test("hasLimits() finds what is worth measuring", () => {
  strictEqual(hasLimits(LIMITED), true);
  strictEqual(hasLimits(podOf("p", { volumes: [{ name: "v", emptyDir: {} }] })), false);
});

Deno.test("parsePids() reads the two files of /proc and refuses rubbish", () => {
  deepStrictEqual(parsePids("0.20 0.18 0.12 1/80 11206\n", "32768\n"), {
    available: 32688,
    capacity: 32768,
  });
  strictEqual(parsePids("", "32768"), undefined);
  strictEqual(parsePids("0.20 0.18 0.12 1/80 11206", "x"), undefined);
});
