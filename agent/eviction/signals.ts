import type { Disk } from "../node/mod.ts";
import type { Observation, Observations } from "./thresholds.ts";

/** The two files of `/proc` that tell of process ids. No sandboxed process may read them there. */
const PROC_FILES = ["/proc/loadavg", "/proc/sys/kernel/pid_max"];

/**
 * How much is left of everything that there can be too little of. Process ids are known only where
 * somebody has bound {@linkcode PROC_FILES} below `hostView`, as the systemd unit does.
 */
export async function observeMachine(
  disks: { readonly node: Disk | undefined; readonly images: Disk | undefined },
  hostView: string,
): Promise<Observations> {
  const { total, available } = Deno.systemMemoryInfo();
  const { node, images } = disks;
  const pids = await loadPids(hostView);
  return {
    "memory.available": { available, capacity: total },
    ...(node ? { "nodefs.available": space(node), ...inodes("nodefs.inodesFree", node) } : {}),
    ...(images
      ? { "imagefs.available": space(images), ...inodes("imagefs.inodesFree", images) }
      : {}),
    ...(pids ? { "pid.available": pids } : {}),
  };
}

function space({ available, size }: Disk): Observation {
  return { available, capacity: size };
}

/** A filesystem that makes inodes as it needs them (btrfs) counts none and runs out of none. */
function inodes(
  signal: "nodefs.inodesFree" | "imagefs.inodesFree",
  disk: Disk,
): Observations {
  if (disk.inodes === 0) return {};
  return { [signal]: { available: disk.inodesFree, capacity: disk.inodes } };
}

/** Process ids of the machine; `undefined` where nobody has bound the files. */
async function loadPids(hostView: string): Promise<Observation | undefined> {
  try {
    const [load, max] = await Promise.all(
      PROC_FILES.map((path) => Deno.readTextFile(`${hostView}${path}`)),
    );
    return parsePids(load ?? "", max ?? "");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Reads `0.20 0.18 0.12 1/80 11206` (one of 80 tasks runs) and `32768`. */
export function parsePids(loadavg: string, max: string): Observation | undefined {
  const tasks = Number(/\d+\/(\d+) \d+\s*$/.exec(loadavg)?.[1]);
  const capacity = Number(max.trim());
  if (!(tasks > 0 && capacity > 0)) return undefined;
  return { available: Math.max(0, capacity - tasks), capacity };
}
