import { createHash } from "node:crypto";
import { statfs } from "node:fs/promises";
import { errorText } from "../../../core/base/mod.ts";

/** What `statfs` answers for a tmpfs (`TMPFS_MAGIC` of Linux). */
const TMPFS = 0x0102_1994;

/** Who uses the tmpfs; several agents may share one. */
export interface MemoryUser {
  /** The node's name, so that a person can tell whose folder it is. */
  readonly node: string;
  /** Absolute; what tells two agents of one machine apart. */
  readonly stateDir: string;
}

/**
 * This agent's own folder below `folder`, made if need be, or why there is none: `folder` is not on
 * a tmpfs, or may not be written. An agent cannot mount a tmpfs, so it uses one that is there.
 */
export async function findMemoryDir(
  folder: string,
  user: MemoryUser,
): Promise<{ readonly dir: string } | { readonly why: string }> {
  const mark = createHash("sha256").update(user.stateDir).digest("hex").slice(0, 8);
  const dir = `${folder}/${user.node}-${mark}`;
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    if ((await statfs(folder)).type !== TMPFS) {
      await Deno.remove(folder).catch(() => {}); // only when it is empty
      return { why: `${folder} is not on a tmpfs` };
    }
    await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
    return { dir };
  } catch (error) {
    return { why: errorText(error) };
  }
}

/**
 * Removes the folders of pods that `keep` does not know: what a crash or a lost state left. Without
 * waiting, as it is all in memory, and nothing may come in between.
 */
export function sweepMemoryDir(dir: string, keep: (uid: string) => boolean): void {
  try {
    for (const { name } of [...Deno.readDirSync(`${dir}/pods`)]) {
      if (!keep(name)) Deno.removeSync(`${dir}/pods/${name}`, { recursive: true });
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
