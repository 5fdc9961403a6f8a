/**
 * The kubelet's `stats/v1alpha1`, as far as a node here knows it. Times are RFC 3339, sizes bytes.
 * What was not measured is absent.
 */
export interface Summary {
  readonly node: NodeSummary;
  readonly pods: readonly PodSummary[];
  /** Ours: how long the rates were taken over. */
  readonly skerry: { readonly windowSeconds: number };
}

/** `NodeStats`. */
export interface NodeSummary {
  readonly nodeName: string;
  /** When the machine booted. */
  readonly startTime: string;
  readonly cpu: CpuStats;
  readonly memory: MemoryStats;
  /** The filesystem that holds pods' volumes. */
  readonly fs?: FsStats;
  readonly runtime?: { readonly imageFs: FsStats };
}

/** `PodStats`. */
export interface PodSummary {
  readonly podRef: { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly startTime: string | null;
  readonly containers: readonly ContainerSummary[];
  /** Of its containers together. */
  readonly cpu?: CpuStats;
  readonly memory?: MemoryStats;
  readonly network?: NetworkStats;
  /** Its emptyDirs. */
  readonly volume?: readonly VolumeStats[];
  /** Writable layers, logs and emptyDirs that lie on disk. */
  readonly "ephemeral-storage"?: FsStats;
  readonly process_stats?: { readonly process_count: number };
}

/** `ContainerStats`. */
export interface ContainerSummary {
  readonly name: string;
  readonly startTime: string | null;
  readonly cpu: CpuStats;
  readonly memory: MemoryStats;
  /** The writable layer. */
  readonly rootfs?: FsStats;
  readonly logs?: FsStats;
}

/** `CPUStats`. */
export interface CpuStats {
  readonly time: string;
  /** Absent for what has only been seen once. */
  readonly usageNanoCores?: number;
  readonly usageCoreNanoSeconds: number;
}

/** `MemoryStats`. */
export interface MemoryStats {
  readonly time: string;
  /** Of a container: up to its limit. */
  readonly availableBytes?: number;
  readonly usageBytes?: number;
  readonly workingSetBytes: number;
  readonly rssBytes?: number;
  readonly pageFaults?: number;
  readonly majorPageFaults?: number;
}

/** `InterfaceStats`. */
export interface InterfaceStats {
  readonly name: string;
  readonly rxBytes: number;
  readonly rxErrors: number;
  readonly txBytes: number;
  readonly txErrors: number;
}

/** `NetworkStats`: the default interface, and all. */
export interface NetworkStats extends InterfaceStats {
  readonly time: string;
  readonly interfaces: readonly InterfaceStats[];
}

/** `FsStats`. Capacity and what is available are those of the filesystem. */
export interface FsStats {
  readonly time: string;
  readonly availableBytes?: number;
  readonly capacityBytes?: number;
  readonly usedBytes?: number;
  readonly inodesFree?: number;
  readonly inodes?: number;
  readonly inodesUsed?: number;
}

/** `VolumeStats`. */
export interface VolumeStats extends FsStats {
  readonly name: string;
}
