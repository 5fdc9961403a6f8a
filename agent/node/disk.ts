import { statfs } from "node:fs/promises";
import { type Bytes, bytes } from "../../core/base/mod.ts";

/** How full a filesystem is, as an ordinary user sees it. */
export interface Disk {
  readonly size: Bytes;
  readonly available: Bytes;
  /** 0 where the filesystem counts none, e.g. btrfs. */
  readonly inodes: number;
  readonly inodesFree: number;
}

/**
 * Measures the filesystem that holds `path`; `undefined` when there is no such path. Needs read
 * permission for it and `sys: statfs`.
 */
export async function loadDisk(path: string): Promise<Disk | undefined> {
  try {
    const { bsize, blocks, bavail, files, ffree } = await statfs(path);
    return {
      size: bytes(blocks * bsize),
      available: bytes(bavail * bsize),
      inodes: files,
      inodesFree: ffree,
    };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
