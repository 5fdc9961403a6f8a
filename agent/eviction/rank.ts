import { type Pod, requestsOf } from "../../core/api/mod.ts";
import { priorityOf } from "../pods/mod.ts";
import type { Signal } from "./thresholds.ts";
import { diskOf, type DiskParts, memoryOf, type PodUsage, type Usages } from "./usage.ts";

/** What there is too little of, in Kubernetes' words. */
export type Starved = "memory" | "ephemeral-storage" | "inodes" | "pids";

const STARVED: Readonly<Record<Signal, Starved>> = {
  "memory.available": "memory",
  "nodefs.available": "ephemeral-storage",
  "nodefs.inodesFree": "inodes",
  "imagefs.available": "ephemeral-storage",
  "imagefs.inodesFree": "inodes",
  "pid.available": "pids",
};

/** What a signal is about. */
export function starvedBy(signal: Signal): Starved {
  return STARVED[signal];
}

/** What of a pod lies on the disk of a signal. */
export function partsOn(signal: Signal, imagesApart: boolean): DiskParts {
  if (!imagesApart) return { rootfs: true, local: true };
  const images = signal.startsWith("imagefs.");
  return { rootfs: images, local: !images };
}

type Compare = (a: Pod, b: Pod) => number;

/**
 * The pods in the order in which they are evicted: those that use more than they asked for, then by
 * priority, then by how much more it is. Of PIDs nobody asks for any. One that cannot be measured
 * goes first. The kubelet's `rankMemoryPressure`, `rankDiskPressure` and `rankPIDPressure`.
 */
export function rankPods(
  signal: Signal,
  pods: readonly Pod[],
  usages: Usages,
  imagesApart: boolean,
): Pod[] {
  const starved = starvedBy(signal);
  const parts = partsOn(signal, imagesApart);
  const over = new Map<Pod, number>();
  for (const pod of pods) {
    const usage = usages.get(pod.metadata.uid ?? "");
    over.set(pod, usage ? usedOf(usage, starved, parts) - askedFor(pod, starved) : Infinity);
  }
  const overOf = (pod: Pod): number => over.get(pod) ?? 0;
  const exceeds: Compare = (a, b) => Number(overOf(b) > 0) - Number(overOf(a) > 0);
  const priority: Compare = (a, b) => priorityOf(a) - priorityOf(b);
  const most: Compare = (a, b) => overOf(b) === overOf(a) ? 0 : overOf(b) - overOf(a);
  const unknown: Compare = (a, b) =>
    Number(overOf(b) === Infinity) - Number(overOf(a) === Infinity);
  return pods.toSorted((a, b) =>
    starved === "pids"
      ? priority(a, b) || most(a, b)
      : unknown(a, b) || exceeds(a, b) || priority(a, b) || most(a, b)
  );
}

function usedOf(usage: PodUsage, starved: Starved, parts: DiskParts): number {
  switch (starved) {
    case "memory":
      return memoryOf(usage);
    case "ephemeral-storage":
      return diskOf(usage, parts).used;
    case "inodes":
      return diskOf(usage, parts).inodes;
    case "pids":
      return usage.processes;
  }
}

function askedFor(pod: Pod, starved: Starved): number {
  return starved === "memory" || starved === "ephemeral-storage"
    ? requestsOf(pod).get(starved) ?? 0
    : 0;
}
