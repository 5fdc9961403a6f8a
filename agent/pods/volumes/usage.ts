import { type Pod, quantityToNumber } from "../../../core/api/mod.ts";
import { type Bytes, bytes } from "../../../core/base/mod.ts";
import type { PodPaths } from "../paths.ts";
import { lstat } from "./volume_file.ts";
import { volumeDir } from "./volumes.ts";

/** What one volume of a pod holds on this node. */
export interface VolumeUsage {
  readonly name: string;
  /** On the tmpfs: it counts as memory, not as storage of the node. */
  readonly memory: boolean;
  /** As the disk counts it, holes left out. */
  readonly used: Bytes;
  readonly inodes: number;
  /** `emptyDir.sizeLimit`; a pod that goes beyond is evicted. */
  readonly limit?: Bytes;
}

const BLOCK = 512;
/** A tree of more entries than this counts as what was found until then: counting takes its time. */
const MOST = 100_000;
/** Entries between two looks at the signal, so that a huge tree does not hold the process. */
const STRIDE = 256;

/**
 * How much each emptyDir of a pod holds now. Folders that are not there yet count nothing; what
 * goes while it is counted is left out.
 */
export async function volumeUsage(
  paths: PodPaths,
  pod: Pod,
  signal: AbortSignal,
): Promise<VolumeUsage[]> {
  const out: VolumeUsage[] = [];
  for (const volume of pod.spec.volumes ?? []) {
    const { emptyDir, name } = volume;
    if (!emptyDir) continue;
    const memory = emptyDir.medium === "Memory";
    const limit = quantityToNumber(emptyDir.sizeLimit);
    const { used, inodes } = await treeUsage(volumeDir(paths, pod, volume), signal);
    out.push({
      ...{ name, memory, used, inodes },
      ...(limit ? { limit: bytes(Math.ceil(limit)) } : {}),
    });
  }
  return out;
}

/** Counts a tree without following links, one folder after the other. */
async function treeUsage(
  root: string,
  signal: AbortSignal,
): Promise<{ used: Bytes; inodes: number }> {
  let blocks = 0;
  let inodes = 0;
  const folders = [root];
  for (let dir = folders.pop(); dir !== undefined; dir = folders.pop()) {
    try {
      for await (const entry of Deno.readDir(dir)) {
        if (inodes >= MOST) return { used: bytes(blocks * BLOCK), inodes };
        if (inodes++ % STRIDE === 0) signal.throwIfAborted();
        const path = `${dir}/${entry.name}`;
        blocks += (await lstat(path))?.blocks ?? 0;
        if (entry.isDirectory) folders.push(path);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return { used: bytes(blocks * BLOCK), inodes };
}
