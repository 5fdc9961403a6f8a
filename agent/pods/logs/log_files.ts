import { rotatedOf } from "./rotate_plan.ts";

/** Removes a log and what was rotated from it. What is gone is no error. */
export async function removeLogFiles(path: string): Promise<void> {
  const { folder, log } = splitPath(path);
  const names = await namesIn(folder);
  for (const name of rotatedOf(log, names)) await removeFile(`${folder}/${name}`);
  await removeFile(path);
}

/** Folder and name of a file. */
export function splitPath(path: string): { folder: string; log: string } {
  const at = path.lastIndexOf("/");
  return { folder: path.slice(0, at), log: path.slice(at + 1) };
}

/** The names in a folder; none when it is gone, or is a file. */
export async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) names.push(name);
  } catch (error) {
    const gone = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
    if (!gone) throw error;
  }
  return names;
}

/** Removes a file, if it is there. */
export async function removeFile(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
