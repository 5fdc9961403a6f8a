import type { Pod } from "../../../core/api/mod.ts";
import { type Bytes, bytes } from "../../../core/base/mod.ts";
import type { PodPaths } from "../paths.ts";
import { namesIn } from "./log_files.ts";

/** What each container of a pod has in logs, all its runs and what was rotated. */
export async function logUsage(
  paths: PodPaths,
  pod: Pod,
): Promise<Map<string, { readonly used: Bytes; readonly inodes: number }>> {
  const { name, namespace = "default", uid = "" } = pod.metadata;
  const root = paths.logs({ namespace, name, uid });
  const out = new Map<string, { used: Bytes; inodes: number }>();
  for (const container of await namesIn(root)) {
    const folder = `${root}/${container}`;
    let used = 0;
    const files = await namesIn(folder);
    for (const file of files) used += await sizeOf(`${folder}/${file}`);
    out.set(container, { used: bytes(used), inodes: files.length });
  }
  return out;
}

/** Rotation and the end of a pod remove what is being counted. */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await Deno.lstat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}
