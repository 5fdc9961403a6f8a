import { quantityToNumber } from "../../core/api/mod.ts";
import { type Ms, toTime } from "../../core/base/mod.ts";
import type { Disk } from "../node/mod.ts";
import type { ContainerUsage } from "../runtimes/mod.ts";
import type { PodStorage, TreeUsage } from "../pods/mod.ts";
import type { Storage } from "./storage.ts";
import { nanoCores, type Sample, type SamplePair, windowOf } from "./sampler.ts";
import type {
  ContainerSummary,
  CpuStats,
  FsStats,
  MemoryStats,
  NetworkStats,
  NodeSummary,
  PodSummary,
  Summary,
  VolumeStats,
} from "./summary_types.ts";
import type { ContainerView, PodView } from "./view.ts";

/** What {@linkcode toSummary} makes a summary from. */
export interface SummaryInputs {
  readonly node: string;
  readonly bootedAt: Ms;
  readonly pair: SamplePair;
  readonly pods: readonly PodView[];
  /** Absent where only CPU and memory are asked for. */
  readonly storage?: Storage | undefined;
}

/** The kubelet's summary. */
export function toSummary(inputs: SummaryInputs): Summary {
  const { pair, storage, pods } = inputs;
  return {
    node: toNode(inputs),
    pods: pods.map((pod) => toPod(pod, storage, pair.newest)),
    skerry: { windowSeconds: windowOf(pair) / 1000 },
  };
}

function toNode({ node, bootedAt, pair, storage }: SummaryInputs): NodeSummary {
  const { machine } = pair.newest;
  const time = toTime(machine.at);
  const imageFs = storage?.image && {
    ...room(time, storage.image.room),
    usedBytes: storage.image.of.used,
    inodesUsed: storage.image.of.inodes,
  };
  return {
    nodeName: node,
    startTime: toTime(bootedAt),
    cpu: toCpu(machine, nanoCores(pair.before.machine, machine)),
    memory: {
      time,
      availableBytes: machine.memoryAvailable,
      usageBytes: machine.memory - machine.memoryFree,
      workingSetBytes: machine.memory - machine.memoryAvailable,
    },
    ...(storage?.node ? { fs: whole(time, storage.node) } : {}),
    ...(imageFs ? { runtime: { imageFs } } : {}),
  };
}

function toPod({ pod, containers, sandbox }: PodView, storage: Storage | undefined, of: Sample) {
  const { name, namespace = "default", uid = "" } = pod.metadata;
  const own = storage?.pods.get(uid);
  const summaries = containers.map((view) => toContainer(view, storage, own));
  const time = toTime(of.machine.at);
  const volume = (own?.volumes ?? []).map((item): VolumeStats => ({
    name: item.name,
    ...room(time, item.memory ? undefined : storage?.node),
    usedBytes: item.used,
    inodesUsed: item.inodes,
  }));
  const summary: PodSummary = {
    podRef: { name, namespace, uid },
    startTime: pod.status?.startTime ?? null,
    containers: summaries,
    ...(containers.length > 0 ? sumOf(containers) : {}),
    ...(sandbox?.interfaces.length ? { network: toNetwork(sandbox) } : {}),
    ...(volume.length > 0 ? { volume } : {}),
    ...(own ? { "ephemeral-storage": ephemeral(time, summaries, own, storage?.node) } : {}),
    ...(sandbox?.processes === undefined
      ? {}
      : { process_stats: { process_count: sandbox.processes } }),
  };
  return summary;
}

function toContainer(
  { usage, spec, startedAt, nanoCores: rate }: ContainerView,
  storage: Storage | undefined,
  own: PodStorage | undefined,
): ContainerSummary {
  const time = toTime(usage.at);
  const limit = quantityToNumber(spec?.resources?.limits?.["memory"]);
  const logs = own?.logs.get(usage.name);
  return {
    name: usage.name,
    startTime: startedAt === undefined ? null : toTime(startedAt),
    cpu: toCpu(usage, rate),
    memory: toMemory(usage, limit),
    ...(storage && usage.filesystem
      ? { rootfs: part(time, usage.filesystem, storage.image?.room) }
      : {}),
    ...(logs ? { logs: part(time, logs, storage?.node) } : {}),
  };
}

function toCpu(
  { at, cpuNanos }: { readonly at: Ms; readonly cpuNanos: number },
  rate: number | undefined,
): CpuStats {
  return {
    time: toTime(at),
    ...(rate === undefined ? {} : { usageNanoCores: rate }),
    usageCoreNanoSeconds: cpuNanos,
  };
}

function toMemory(usage: ContainerUsage, limit: number | undefined): MemoryStats {
  const { memory, rss, pageFaults, majorPageFaults, workingSet } = usage;
  return {
    time: toTime(usage.at),
    ...(limit ? { availableBytes: Math.max(0, Math.ceil(limit) - workingSet) } : {}),
    ...(memory === undefined ? {} : { usageBytes: memory }),
    workingSetBytes: workingSet,
    ...(rss === undefined ? {} : { rssBytes: rss }),
    ...(pageFaults === undefined ? {} : { pageFaults }),
    ...(majorPageFaults === undefined ? {} : { majorPageFaults }),
  };
}

/** CPU and memory of a pod; a number that one container lacks is lacking of the sum. */
function sumOf(views: readonly ContainerView[]): { cpu: CpuStats; memory: MemoryStats } {
  const usages = views.map(({ usage }) => usage);
  const sum = (pick: (usage: ContainerUsage) => number | undefined): number | undefined =>
    total(usages.map(pick));
  const at = Math.max(...usages.map((usage) => usage.at)) as Ms;
  const cpuNanos = sum((usage) => usage.cpuNanos) ?? 0;
  const [memory, rss] = [sum((usage) => usage.memory), sum((usage) => usage.rss)];
  return {
    cpu: toCpu({ at, cpuNanos }, total(views.map((view) => view.nanoCores))),
    memory: {
      time: toTime(at),
      ...(memory === undefined ? {} : { usageBytes: memory }),
      workingSetBytes: sum((usage) => usage.workingSet) ?? 0,
      ...(rss === undefined ? {} : { rssBytes: rss }),
    },
  };
}

function total(numbers: readonly (number | undefined)[]): number | undefined {
  return numbers.reduce(
    (sum, item) => sum === undefined || item === undefined ? undefined : sum + item,
    0,
  );
}

function toNetwork(sandbox: NonNullable<PodView["sandbox"]>): NetworkStats {
  const [first] = sandbox.interfaces;
  if (!first) throw new TypeError("Cannot tell the network of a pod without an interface");
  return { time: toTime(sandbox.at), ...first, interfaces: sandbox.interfaces };
}

function ephemeral(
  time: string,
  containers: readonly ContainerSummary[],
  own: PodStorage,
  node: Disk | undefined,
): FsStats {
  const parts = [
    ...containers.map(({ rootfs }) => ({
      used: rootfs?.usedBytes ?? 0,
      inodes: rootfs?.inodesUsed ?? 0,
    })),
    ...own.logs.values(),
    ...own.volumes.filter(({ memory }) => !memory),
  ];
  return {
    ...room(time, node),
    usedBytes: parts.reduce((sum, { used }) => sum + used, 0),
    inodesUsed: parts.reduce((sum, { inodes }) => sum + inodes, 0),
  };
}

/** What there is room for on a filesystem, where that is known. */
function room(time: string, of: Disk | undefined): FsStats {
  if (!of) return { time };
  const { available, size, inodes, inodesFree } = of;
  return { time, availableBytes: available, capacityBytes: size, inodesFree, inodes };
}

/** A part of a filesystem. */
function part(time: string, { used, inodes }: TreeUsage, of: Disk | undefined): FsStats {
  return { ...room(time, of), usedBytes: used, inodesUsed: inodes };
}

/** A filesystem as a whole; what only root may fill counts as used. */
function whole(time: string, of: Disk): FsStats {
  return {
    ...room(time, of),
    usedBytes: of.size - of.available,
    inodesUsed: of.inodes - of.inodesFree,
  };
}
