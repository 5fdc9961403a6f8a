import type { VolumeUsage } from "../pods/mod.ts";

/** Bytes and files of something on a disk. */
export interface DiskUsage {
  readonly used: number;
  readonly inodes: number;
}

/** What one pod uses, as far as it was measured. */
export interface PodUsage {
  /** Working set by container, in bytes. */
  readonly memory: ReadonlyMap<string, number>;
  readonly processes: number;
  /** Writable layers by container. */
  readonly rootfs: ReadonlyMap<string, DiskUsage>;
  /** Logs by container. */
  readonly logs: ReadonlyMap<string, DiskUsage>;
  readonly volumes: readonly VolumeUsage[];
}

/** By pod UID; absent for one that cannot be measured. */
export type Usages = ReadonlyMap<string, PodUsage>;

/** The parts of a pod that lie on one disk. */
export interface DiskParts {
  readonly rootfs: boolean;
  /** Logs and volumes. */
  readonly local: boolean;
}

/** Memory of a pod, in bytes. */
export function memoryOf({ memory }: PodUsage): number {
  return [...memory.values()].reduce((sum, one) => sum + one, 0);
}

/** What a pod takes on a disk; volumes on a tmpfs are memory. */
export function diskOf(usage: PodUsage, parts: DiskParts): DiskUsage {
  const all: DiskUsage[] = [
    ...(parts.rootfs ? usage.rootfs.values() : []),
    ...(parts.local ? usage.logs.values() : []),
    ...(parts.local ? usage.volumes.filter(({ memory }) => !memory) : []),
  ];
  return all.reduce(
    (sum, { used, inodes }) => ({ used: sum.used + used, inodes: sum.inodes + inodes }),
    { used: 0, inodes: 0 },
  );
}
