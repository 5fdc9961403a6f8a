import type { Pod } from "../../core/api/mod.ts";
import { type Bytes, isAppError } from "../../core/base/mod.ts";
import { logUsage } from "./logs/log_usage.ts";
import type { PodPaths } from "./paths.ts";
import { type VolumeUsage, volumeUsage } from "./volumes/usage.ts";

/** Files and folders, counted. */
export interface TreeUsage {
  readonly used: Bytes;
  readonly inodes: number;
}

/** What one pod has on the node's disks, but for its containers' writable layers. */
export interface PodStorage {
  readonly volumes: readonly VolumeUsage[];
  /** By container, all its runs. */
  readonly logs: ReadonlyMap<string, TreeUsage>;
}

/** Walks through a pod's volumes and logs, which takes its time. */
export async function podStorage(
  paths: PodPaths,
  pod: Pod,
  signal: AbortSignal,
): Promise<PodStorage> {
  try {
    return {
      volumes: await volumeUsage(paths, pod, signal),
      logs: await logUsage(paths, pod),
    };
  } catch (error) {
    // A pod that this node refuses, e.g. for a memory volume without a tmpfs, has nothing here.
    if (!isAppError(error)) throw error;
    return { volumes: [], logs: new Map() };
  }
}
