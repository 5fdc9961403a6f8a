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
  const dir = `${folder}/${ownName(user)}`;
  try {
    const wasThere = await Deno.stat(folder).then(() => true, () => false);
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    if ((await statfs(folder)).type !== TMPFS) {
      // Nothing is left behind; somebody else's folder stays.
      if (!wasThere) await Deno.remove(folder).catch(() => {});
      return { why: `${folder} is not on a tmpfs` };
    }
    await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
    return { dir };
  } catch (error) {
    return { why: errorText(error) };
  }
}

/**
 * Removes the folders that this agent had below `folder` under other names, where nothing is in them
 * any more. What is mounted or holds anything stays, as do those of other agents. Never throws.
 */
export function dropFormerDirs(folder: string, user: MemoryUser): void {
  const own = ownName(user);
  try {
    for (const { name, isDirectory } of [...Deno.readDirSync(folder)]) {
      if (isDirectory && name !== own && name.endsWith(markOf(user))) {
        dropEmpty(`${folder}/${name}`);
      }
    }
  } catch {
    // It cannot be looked at: it stays.
  }
}

/** What an agent makes in its folder; a pod's own is below the first. */
const INSIDE = ["pods", "links"];

function dropEmpty(dir: string): void {
  // A folder is removed by itself only: the system keeps one that holds something or is mounted.
  const state = remove(dir);
  if (state !== "ENOTEMPTY") return;
  const entries = [...Deno.readDirSync(dir)];
  const isEmpty = ({ name, isDirectory }: Deno.DirEntry): boolean =>
    isDirectory && INSIDE.includes(name) && [...Deno.readDirSync(`${dir}/${name}`)].length === 0;
  if (!entries.every(isEmpty)) return;
  for (const { name } of entries) remove(`${dir}/${name}`);
  remove(dir);
}

/** Removes an empty folder; gives the system's word when it does not. */
function remove(dir: string): unknown {
  try {
    Deno.removeSync(dir);
    return undefined;
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

/** The same for all names of one agent: it has one state folder. */
function markOf({ stateDir }: MemoryUser): string {
  return `-${createHash("sha256").update(stateDir).digest("hex").slice(0, 8)}`;
}

function ownName(user: MemoryUser): string {
  return `${user.node}${markOf(user)}`;
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
