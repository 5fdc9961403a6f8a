import { bytes, isAppError, type Ms, ms } from "../../../core/base/mod.ts";
import { type ContainerUsage, type InterfaceUsage, LABEL, type SandboxUsage } from "../runtime.ts";
import type { Call } from "./calls.ts";
import {
  type ContainerStats,
  type NetworkInterfaceUsage,
  PodSandboxState,
  type PodSandboxStats,
  RuntimeService,
} from "./gen/runtime_pb.ts";

/** How runtimes answer for a sandbox that cannot be measured, and old ones for every sandbox. */
const UNMEASURABLE = ["InternalError", "NotFound", "Unsupported"] as const;

const { listContainerStats, listPodSandboxStats, listPodSandbox } = RuntimeService.method;

type Labels = Readonly<Record<string, string>>;

/** {@linkcode Runtime.containerUsage} of what carries the labels of `labelSelector`. */
export async function readContainerUsage(
  call: Call,
  labelSelector: Labels,
  signal: AbortSignal,
): Promise<ContainerUsage[]> {
  const { stats } = await call(listContainerStats, { filter: { labelSelector } }, signal);
  return stats.map(toContainerUsage).filter((item) => item !== undefined);
}

/** {@linkcode Runtime.sandboxUsage} of what carries the labels of `labelSelector`. */
export async function readSandboxUsage(
  call: Call,
  labelSelector: Labels,
  signal: AbortSignal,
): Promise<SandboxUsage[]> {
  const stats = await sandboxStats(call, labelSelector, signal);
  return stats.map(toSandboxUsage).filter((item) => item !== undefined);
}

/**
 * containerd fails the whole list for one sandbox that it cannot measure (it ends meanwhile, or has
 * no `cgroupParent`): then each is asked for alone.
 */
async function sandboxStats(
  call: Call,
  labelSelector: Labels,
  signal: AbortSignal,
): Promise<PodSandboxStats[]> {
  // The filter is sent even when it names no label: without one, containerd fails at sandboxes that
  // have ended.
  const all = await ifMeasurable(call(listPodSandboxStats, { filter: { labelSelector } }, signal));
  if (all) return all.stats;
  const { items } = await call(listPodSandbox, { filter: { labelSelector } }, signal);
  const ready = items.filter((item) => item.state === PodSandboxState.SANDBOX_READY);
  const answers = await Promise.all(
    ready.map(({ id }) => ifMeasurable(call(listPodSandboxStats, { filter: { id } }, signal))),
  );
  return answers.flatMap((answer) => answer?.stats ?? []);
}

async function ifMeasurable<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (UNMEASURABLE.some((code) => isAppError(error, code))) return undefined;
    throw error;
  }
}

/** `undefined` for a container that does not run: nothing was measured. */
function toContainerUsage(stats: ContainerStats): ContainerUsage | undefined {
  const { attributes, cpu, memory, writableLayer } = stats;
  const podUid = attributes?.labels[LABEL.podUid];
  if (!attributes || !podUid || !cpu?.usageCoreNanoSeconds || !memory?.workingSetBytes) {
    return undefined;
  }
  const { usageBytes, rssBytes, pageFaults, majorPageFaults } = memory;
  return {
    id: attributes.id,
    podUid,
    name: attributes.metadata?.name ?? "",
    at: toMs(cpu.timestamp),
    cpuNanos: Number(cpu.usageCoreNanoSeconds.value),
    workingSet: bytes(Number(memory.workingSetBytes.value)),
    ...(usageBytes ? { memory: bytes(Number(usageBytes.value)) } : {}),
    ...(rssBytes ? { rss: bytes(Number(rssBytes.value)) } : {}),
    ...(pageFaults ? { pageFaults: Number(pageFaults.value) } : {}),
    ...(majorPageFaults ? { majorPageFaults: Number(majorPageFaults.value) } : {}),
    // Runtimes measure layers every few seconds only; a time of 0 is "not yet".
    ...(writableLayer?.timestamp
      ? {
        filesystem: {
          used: bytes(Number(writableLayer.usedBytes?.value ?? 0)),
          inodes: Number(writableLayer.inodesUsed?.value ?? 0),
        },
      }
      : {}),
  };
}

function toSandboxUsage({ attributes, linux }: PodSandboxStats): SandboxUsage | undefined {
  const podUid = attributes?.labels[LABEL.podUid];
  if (!attributes || !podUid || !linux?.process) return undefined;
  const { network, process } = linux;
  const listed = [network?.defaultInterface, ...network?.interfaces ?? []]
    .filter((item) => item !== undefined);
  return {
    id: attributes.id,
    podUid,
    at: toMs(process.timestamp),
    ...(process.processCount ? { processes: Number(process.processCount.value) } : {}),
    interfaces: listed.map(toInterfaceUsage),
  };
}

function toInterfaceUsage(from: NetworkInterfaceUsage): InterfaceUsage {
  return {
    name: from.name,
    rxBytes: Number(from.rxBytes?.value ?? 0),
    rxErrors: Number(from.rxErrors?.value ?? 0),
    txBytes: Number(from.txBytes?.value ?? 0),
    txErrors: Number(from.txErrors?.value ?? 0),
  };
}

/** CRI counts nanoseconds. */
function toMs(nanoseconds: bigint): Ms {
  return ms(Number(nanoseconds / 1000n) / 1000);
}
