import { AppError } from "../../../core/base/mod.ts";
import { HOST_VIEW } from "../../../core/parts/mod.ts";

/** What Deno refuses to look at by these names, whatever it was granted. */
const SPECIAL = /^\/(dev|sys|proc)(\/|$)/;

/**
 * Checks that a hostPath is what its `type` says, and creates the file of `FileOrCreate`. Folders
 * that are missing are the runtime's to create: it does so for every mount. Without a type nothing
 * is looked at, as Kubernetes has it.
 *
 * @throws {AppError} Invalid when it is something else or absent, Forbidden when the agent's
 *   permissions do not let it look
 */
export async function ensureHostPath(path: string, type: string | undefined): Promise<void> {
  if (!path.startsWith("/") || path.split("/").includes("..")) {
    throw new AppError(
      "Invalid",
      `hostPath ${JSON.stringify(path)} must be absolute, without ".."`,
    );
  }
  if (!type) return;
  try {
    const info = await statHost(path);
    if (info === undefined) await whenAbsent(path, type);
    else if (!matches(info, type)) throw wrongType(path, type);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotCapable)) throw cause;
    // What it says holds in any case: the runtime makes what is missing.
    if (type === "DirectoryOrCreate") return;
    throw mayNotLook(path, `check type ${type}`);
  }
}

/** The refusal of a path of the host that the agent was not given. */
export function mayNotLook(path: string, why: string): AppError {
  const advice = SPECIAL.test(path)
    ? `bind /${path.split("/")[1]} to ${HOST_VIEW}/${path.split("/")[1]}`
    : `start the agent with --host-paths=${path} (or a folder above it)`;
  return new AppError(
    "Forbidden",
    `hostPath ${path}: the agent may not look there to ${why}: ${advice}, or leave the type out`,
  );
}

/** Looks at a path directly where that is granted, at `/dev` and its like through the view. */
async function statHost(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await statIfThere(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable) || !SPECIAL.test(path)) throw error;
    if (!await statIfThere(`${HOST_VIEW}/${path.split("/")[1]}`)) throw error;
    return await statIfThere(`${HOST_VIEW}${path}`);
  }
}

async function statIfThere(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}

async function whenAbsent(path: string, type: string): Promise<void> {
  if (type === "DirectoryOrCreate") return await makeFolder(path);
  if (type === "FileOrCreate") {
    await Deno.writeFile(path, new Uint8Array(), { createNew: true, mode: 0o644 });
    return;
  }
  throw wrongType(path, type);
}

/** Where the agent may not, the runtime makes the folder when it mounts it. */
async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true, mode: 0o755 });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
  }
}

function wrongType(path: string, type: string): AppError {
  return new AppError(
    "Invalid",
    `hostPath type check failed: ${path} is not a ${KINDS[type] ?? type}`,
  );
}

const KINDS: Readonly<Record<string, string>> = {
  Directory: "directory",
  DirectoryOrCreate: "directory",
  File: "file",
  FileOrCreate: "file",
  Socket: "socket file",
  CharDevice: "character device",
  BlockDevice: "block device",
};

function matches(info: Deno.FileInfo, type: string): boolean {
  switch (type) {
    case "Directory":
    case "DirectoryOrCreate":
      return info.isDirectory;
    case "File":
    case "FileOrCreate":
      return info.isFile;
    case "Socket":
      return info.isSocket === true;
    case "CharDevice":
      return info.isCharDevice === true;
    case "BlockDevice":
      return info.isBlockDevice === true;
  }
  return false;
}
