/** One file of a volume. */
export interface VolumeFile {
  readonly content: Uint8Array;
  /** Permission bits. */
  readonly mode: number;
  /** Who owns it. @default {the agent} */
  readonly uid?: number;
}

/** Files by path below the volume. */
export type Payload = ReadonlyMap<string, VolumeFile>;

/** Writes one file of a volume below `root`, with exactly its mode. */
export async function writeFile(
  root: string,
  path: string,
  file: VolumeFile,
  gid: number | undefined,
): Promise<void> {
  const full = `${root}/${path}`;
  const parent = full.slice(0, full.lastIndexOf("/"));
  await Deno.mkdir(parent, { recursive: true, mode: 0o755 });
  await Deno.writeFile(full, file.content, { mode: 0o600 });
  const { uid } = file;
  if (uid !== undefined || gid !== undefined) await Deno.chown(full, uid ?? null, gid ?? null);
  // After the write and apart from it, as the mode of a write is cut by the umask.
  await Deno.chmod(full, file.mode & 0o777);
}

/** Whether `path` is already what `file` says. */
export async function sameFile(path: string, file: VolumeFile): Promise<boolean> {
  const info = await lstat(path);
  if (!info?.isFile || ((info.mode ?? 0) & 0o777) !== (file.mode & 0o777)) return false;
  if (file.uid !== undefined && info.uid !== file.uid) return false;
  if (info.size !== file.content.length) return false;
  const bytes = await Deno.readFile(path);
  return bytes.every((byte, at) => byte === file.content[at]);
}

/** Like `Deno.lstat`, but `undefined` when there is nothing. */
export async function lstat(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}
