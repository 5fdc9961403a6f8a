import { closeSync, fchmodSync, fstatSync, openSync } from "node:fs";
import { AppError } from "../../../core/base/mod.ts";

/**
 * The real path of `subPath` below a volume's folder. Links are followed and then checked, so a
 * link that a container made cannot lead the mount out of the volume; what is missing is created
 * as a folder, one checked step at a time, with the volume's own mode: its user is to write there.
 *
 * @throws {AppError} Invalid when the path is absolute, has `..`, or leads out of the volume
 */
export async function resolveSubPath(root: string, subPath: string): Promise<string> {
  const parts = subPath.split("/").filter((part) => part !== "" && part !== ".");
  if (subPath.startsWith("/") || parts.includes("..") || subPath.includes("\0")) {
    throw new AppError("Invalid", `subPath ${JSON.stringify(subPath)} must stay below the volume`);
  }
  const base = await Deno.realPath(root);
  let at = base;
  for (const part of parts) {
    const next = `${at}/${part}`;
    try {
      at = await Deno.realPath(next);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      await makeFolder(next, subPath, base);
      at = await Deno.realPath(next);
    }
    if (at !== base && !at.startsWith(`${base}/`)) {
      throw new AppError("Invalid", `subPath ${JSON.stringify(subPath)} leads out of the volume`);
    }
  }
  return at;
}

/** `mkdir` makes no folder where a link stands, so a dangling link cannot be used to get outside. */
async function makeFolder(path: string, subPath: string, volume: string): Promise<void> {
  const mode = ((await Deno.stat(volume)).mode ?? 0o755) & 0o3777;
  try {
    await Deno.mkdir(path, { mode: 0o750 });
    setMode(path, mode);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.AlreadyExists)) throw cause;
    throw new AppError("Invalid", `subPath ${JSON.stringify(subPath)} meets a broken link`, {
      cause,
    });
  }
}

/**
 * Sets the mode of a folder, apart from its making, as that is cut by the umask. A container may have
 * put a link in its place by now, which must not be followed: what was opened is what stands there.
 */
function setMode(path: string, mode: number): void {
  const seen = Deno.lstatSync(path);
  const fd = openSync(path, "r");
  try {
    const opened = fstatSync(fd);
    if (!seen.isDirectory || opened.ino !== seen.ino || opened.dev !== seen.dev) {
      throw new AppError("Invalid", `${path} was replaced while it was made`);
    }
    fchmodSync(fd, mode);
  } finally {
    closeSync(fd);
  }
}
