import { AppError } from "../../../core/base/mod.ts";
import { writeEach } from "./each_writer.ts";
import { type Payload, sameFile, writeFile } from "./volume_file.ts";

/**
 * Makes `dir` show exactly `payload`, all of it at one moment: files stand in a hidden folder of
 * their own, `..data` points to it and is swapped by rename, and each name points through
 * `..data`. A reader sees the old set or the new one, never a mixture. Does nothing when nothing
 * changed. `gid` becomes the files' group.
 *
 * Deno lets only a process with unscoped file permissions make symbolic links. Without them each
 * file is swapped by a rename of its own: a reader sees each file whole, old or new, but for a
 * moment may see one of each.
 *
 * @throws {AppError} Invalid for a path that leaves the volume
 */
export async function writeAtomically(
  dir: string,
  payload: Payload,
  options: { gid?: number | undefined } = {},
): Promise<boolean> {
  for (const path of payload.keys()) checkPath(path);
  await Deno.mkdir(dir, { recursive: true });
  if (!await mayLink()) return await writeEach(dir, payload, options);
  const before = await readLink(`${dir}/..data`);
  if (before !== undefined && await sameContent(`${dir}/${before}`, payload)) {
    await linkNames(dir, payload);
    return false;
  }
  const made = await Deno.makeTempDir({ dir, prefix: "..v" });
  await Deno.chmod(made, 0o755);
  for (const [path, file] of payload) await writeFile(made, path, file, options.gid);
  const temporary = `${dir}/..data_tmp`;
  await removeIfThere(temporary);
  await Deno.symlink(made.slice(dir.length + 1), temporary);
  await Deno.rename(temporary, `${dir}/..data`);
  await linkNames(dir, payload);
  await sweep(dir, made.slice(dir.length + 1), payload);
  return true;
}

async function mayLink(): Promise<boolean> {
  const read = await Deno.permissions.query({ name: "read" });
  const write = await Deno.permissions.query({ name: "write" });
  return read.state === "granted" && write.state === "granted";
}

function checkPath(path: string): void {
  const parts = path.split("/");
  const bad = path === "" || path.startsWith("/") || path.includes("\0") ||
    parts.some((part) => part === "" || part === "." || part === "..") ||
    parts[0]?.startsWith("..");
  if (bad) {
    throw new AppError("Invalid", `Cannot write ${JSON.stringify(path)}: it leaves the volume`);
  }
}

async function linkNames(dir: string, payload: Payload): Promise<void> {
  for (const name of topNames(payload)) {
    const link = `${dir}/${name}`;
    if (await readLink(link) === `..data/${name}`) continue;
    await removeIfThere(link);
    await Deno.symlink(`..data/${name}`, link);
  }
}

/** Removes names that are no longer there and the folders of older versions. */
async function sweep(dir: string, present: string, payload: Payload): Promise<void> {
  const keep = topNames(payload);
  const names: string[] = [];
  for await (const entry of Deno.readDir(dir)) names.push(entry.name);
  for (const name of names) {
    if (name === "..data" || name === present || keep.has(name)) continue;
    await Deno.remove(`${dir}/${name}`, { recursive: true });
  }
}

function topNames(payload: Payload): Set<string> {
  return new Set([...payload.keys()].map((path) => path.split("/")[0] ?? path));
}

async function sameContent(root: string, payload: Payload): Promise<boolean> {
  for (const [path, file] of payload) {
    if (!await sameFile(`${root}/${path}`, file)) return false;
  }
  return payload.size === await countFiles(root);
}

async function countFiles(root: string): Promise<number> {
  let count = 0;
  try {
    for await (const entry of Deno.readDir(root)) {
      count += entry.isDirectory ? await countFiles(`${root}/${entry.name}`) : 1;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return -1;
  }
  return count;
}

async function readLink(path: string): Promise<string | undefined> {
  try {
    return await Deno.readLink(path);
  } catch (error) {
    // EINVAL: something that is no link stands there; it is replaced.
    if (error instanceof Deno.errors.NotFound || error instanceof TypeError) return undefined;
    if (error instanceof Error && /os error 22/.test(error.message)) return undefined;
    throw error;
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
