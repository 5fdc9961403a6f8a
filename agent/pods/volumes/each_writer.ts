import { lstat, type Payload, sameFile, writeFile } from "./volume_file.ts";

/**
 * Swaps the files of `payload` into `dir` one by one: new files are all written before the first is
 * renamed, and old names go last. Returns whether anything changed.
 */
export async function writeEach(
  dir: string,
  payload: Payload,
  options: { gid?: number | undefined },
): Promise<boolean> {
  const changed: string[] = [];
  for (const [path, file] of payload) {
    if (!await sameFile(`${dir}/${path}`, file)) changed.push(path);
  }
  if (changed.length === 0) return await sweepTree(dir, "", payload);
  const made = await Deno.makeTempDir({ dir, prefix: "..v" });
  for (const path of changed) {
    const file = payload.get(path);
    if (file) await writeFile(made, path, file, options.gid);
  }
  for (const path of changed) {
    await clearWay(dir, path);
    await Deno.rename(`${made}/${path}`, `${dir}/${path}`);
  }
  await sweepTree(dir, "", payload);
  return true;
}

/** Makes the folders above `path`, and removes a folder that stands where the file belongs. */
async function clearWay(dir: string, path: string): Promise<void> {
  const parts = path.split("/");
  for (let depth = 1; depth < parts.length; depth++) {
    const folder = `${dir}/${parts.slice(0, depth).join("/")}`;
    const info = await lstat(folder);
    if (info && !info.isDirectory) await Deno.remove(folder);
    if (!info?.isDirectory) await Deno.mkdir(folder, { mode: 0o755 });
  }
  if ((await lstat(`${dir}/${path}`))?.isDirectory) {
    await Deno.remove(`${dir}/${path}`, { recursive: true });
  }
}

/** Removes what is not in the payload. Returns whether a name of the user's went. */
async function sweepTree(root: string, below: string, payload: Payload): Promise<boolean> {
  let removed = false;
  const entries: Deno.DirEntry[] = [];
  for await (const entry of Deno.readDir(`${root}/${below}`)) entries.push(entry);
  for (const entry of entries) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (payload.has(path)) continue;
    if (entry.isDirectory && [...payload.keys()].some((one) => one.startsWith(`${path}/`))) {
      removed = await sweepTree(root, path, payload) || removed;
      continue;
    }
    await Deno.remove(`${root}/${path}`, { recursive: true });
    removed ||= !entry.name.startsWith("..");
  }
  return removed;
}
