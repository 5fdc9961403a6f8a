import { removeLogFiles } from "./logs/log_files.ts";
import type { PodPaths } from "./paths.ts";

/** Whose files they are. */
interface PodId {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
}

/** Removes the log of one run of a container; what does not lie with the pod's logs is left alone. */
export async function removeRunLog(paths: PodPaths, pod: PodId, logPath: string): Promise<void> {
  const folder = paths.logs(pod);
  const path = logPath.startsWith("/") ? logPath : `${folder}/${logPath}`;
  if (path.startsWith(`${folder}/`)) await removeLogFiles(path);
}

/** Removes the volumes of a pod that has ended; its logs and termination messages stay. */
export async function removeVolumes(paths: PodPaths, { uid }: PodId): Promise<void> {
  const memory = paths.memoryPod(uid);
  await Promise.all([
    removeTree(`${paths.pod(uid)}/volumes`),
    memory ? removeTree(memory) : undefined,
  ]);
}

/** Removes all files of a pod. */
export async function removePodFiles(paths: PodPaths, pod: PodId): Promise<void> {
  const memory = paths.memoryPod(pod.uid);
  await Promise.all([
    removeTree(paths.pod(pod.uid)),
    memory ? removeTree(memory) : undefined,
    removeTree(paths.logs(pod)),
  ]);
}

/** Removes a folder with all that is in it, if it is there. */
export async function removeTree(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
