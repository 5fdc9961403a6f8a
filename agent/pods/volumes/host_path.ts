import { AppError } from "../../../core/base/mod.ts";

/**
 * Checks that a hostPath is what its `type` says, and creates it for the `…OrCreate` types.
 * Without a type nothing is looked at, as Kubernetes has it.
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
    const info = await statOrCreate(path, type);
    if (info && !matches(info, type)) {
      throw new AppError(
        "Invalid",
        `hostPath type check failed: ${path} is not a ${kindName(type)}`,
      );
    }
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotCapable)) throw cause;
    throw new AppError(
      "Forbidden",
      `hostPath ${path}: the agent may not look there to check type ${type}; give its permission set this path or leave the type out`,
      { cause },
    );
  }
}

async function statOrCreate(path: string, type: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    if (type === "DirectoryOrCreate") {
      await Deno.mkdir(path, { recursive: true, mode: 0o755 });
      return undefined;
    }
    if (type === "FileOrCreate") {
      await Deno.writeFile(path, new Uint8Array(), { createNew: true, mode: 0o644 });
      return undefined;
    }
    throw new AppError(
      "Invalid",
      `hostPath type check failed: ${path} is not a ${kindName(type)}: it does not exist`,
      { cause },
    );
  }
}

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

function kindName(type: string): string {
  const names: Record<string, string> = {
    Directory: "directory",
    DirectoryOrCreate: "directory",
    File: "file",
    FileOrCreate: "file",
    Socket: "socket file",
    CharDevice: "character device",
    BlockDevice: "block device",
  };
  return names[type] ?? type;
}
