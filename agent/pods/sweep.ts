import { namesIn } from "./logs/log_files.ts";
import { isPathPart, type PodPaths } from "./paths.ts";
import { removeTree } from "./pod_files.ts";

/**
 * Removes what is left on disk of pods that `known` does not know: a crash while they ended, or a
 * state that was lost. The folders of pods are this agent's own; a log folder is only taken for the
 * pod of such a folder, because others (a kubelet) may have theirs beside it. Returns the UIDs.
 */
export async function sweepPodFolders(
  paths: PodPaths,
  known: (uid: string) => boolean,
): Promise<string[]> {
  const gone = (await namesIn(paths.pods)).filter((uid) => isPathPart(uid) && !known(uid));
  if (gone.length === 0) return [];
  const logs = await namesIn(paths.allLogs);
  for (const uid of gone) {
    for (const name of logs.filter((one) => one.endsWith(`_${uid}`))) {
      await removeTree(`${paths.allLogs}/${name}`);
    }
    const memory = paths.memoryPod(uid);
    if (memory) await removeTree(memory);
    // Last: with it goes what is known of the rest.
    await removeTree(paths.pod(uid));
  }
  return gone;
}
