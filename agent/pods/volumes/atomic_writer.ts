import { AppError } from "../../../core/base/mod.ts";
import { writeEach } from "./each_writer.ts";
import { type LinkPool, readLink } from "./link_pool.ts";
import { lstat, type Payload, sameFile, writeFile } from "./volume_file.ts";

/** Folders of versions take turns, so that a reader that compares paths sees every change. */
const SLOTS = 8;
const SLOT = /^\.\.v(\d)$/;

/**
 * Makes `dir` show exactly `payload`, all of it at one moment, in the layout of a kubelet: files
 * stand in a hidden folder of their own, `..data` points to it and is swapped by rename, and each
 * name points through `..data`. A reader sees the old set or the new one, never a mixture. Does
 * nothing when nothing changed. `gid` becomes the files' group.
 *
 * Where no links can be had (another runtime than containerd), each file is swapped by a rename of
 * its own: a reader sees each file whole, old or new, but for a moment may see one of each.
 *
 * @throws {AppError} Invalid for a path that leaves the volume
 */
export async function writeAtomically(
  dir: string,
  payload: Payload,
  options: { gid?: number | undefined; links?: LinkPool | undefined } = {},
): Promise<boolean> {
  for (const path of payload.keys()) checkPath(path);
  const { links } = options;
  await Deno.mkdir(dir, { recursive: true });
  const before = SLOT.exec(await readLink(`${dir}/..data`) ?? "");
  const slot = `..v${before ? (Number(before[1]) + 1) % SLOTS : 0}`;
  const names = topNames(payload);
  if (!await links?.ready([slot, ...[...names].map(throughData)]) || !links) {
    return await writeEach(dir, payload, options);
  }
  if (before && await sameContent(`${dir}/${before[0]}`, payload)) {
    return await linkNames(dir, names, links);
  }
  await removeIfThere(`${dir}/${slot}`);
  await Deno.mkdir(`${dir}/${slot}`, { mode: 0o755 });
  // Apart from its making, as that is cut by the umask.
  await Deno.chmod(`${dir}/${slot}`, 0o755);
  for (const [path, file] of payload) await writeFile(`${dir}/${slot}`, path, file, options.gid);
  await placeOver(links, slot, `${dir}/..data`);
  await linkNames(dir, names, links);
  await sweep(dir, new Set(["..data", slot, ...names]));
  return true;
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

function throughData(name: string): string {
  return `..data/${name}`;
}

/** Returns whether a name was missing. */
async function linkNames(
  dir: string,
  names: ReadonlySet<string>,
  links: LinkPool,
): Promise<boolean> {
  let placed = false;
  for (const name of names) {
    if (await readLink(`${dir}/${name}`) === throughData(name)) continue;
    await placeOver(links, throughData(name), `${dir}/${name}`);
    placed = true;
  }
  return placed;
}

/** Places a link in the place of what stands there, at once unless that is a folder. */
async function placeOver(links: LinkPool, target: string, path: string): Promise<void> {
  const temporary = `${path.slice(0, path.lastIndexOf("/"))}/..data_tmp`;
  await removeIfThere(temporary);
  await links.place(target, temporary);
  if ((await lstat(path))?.isDirectory) await Deno.remove(path, { recursive: true });
  await Deno.rename(temporary, path);
}

/** Removes names that are no longer there and the folders of older versions. */
async function sweep(dir: string, keep: ReadonlySet<string>): Promise<void> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(dir)) names.push(entry.name);
  for (const name of names) {
    if (!keep.has(name)) await Deno.remove(`${dir}/${name}`, { recursive: true });
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

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
