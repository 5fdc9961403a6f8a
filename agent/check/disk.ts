import { AppError, errorText } from "../../core/base/mod.ts";
import type { CheckContext } from "./check.ts";

/** As little as this and a node begins to evict pods. */
const LEAST = 0.1;

/** That files can be written below `folder` and that its disk has room. @param option names it */
export async function requireDisk(
  folder: string,
  disk: CheckContext["disk"],
  option: string,
): Promise<string> {
  const probe = `${folder}/.skerry-check`;
  try {
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(probe, "");
    await Deno.remove(probe);
  } catch (cause) {
    throw new AppError(
      "Forbidden",
      `${folder} cannot be written (${
        errorText(cause)
      }): make it writable for the agent, or choose another ` +
        `folder with ${option}`,
      { cause },
    );
  }
  const found = await disk(folder);
  if (!found) return `${folder} can be written`;
  const { size, available, inodes, inodesFree } = found;
  const free = Math.round(available / 2 ** 20);
  const few = inodes > 0 && inodesFree / inodes < LEAST / 2;
  if (available / size >= LEAST && !few) return `${folder} can be written, ${free} MiB are free`;
  throw new AppError(
    "ServiceUnavailable",
    `the disk of ${folder} is nearly full (${free} MiB${
      few ? ` and ${inodesFree} inodes` : ""
    } free): remove files, or the node evicts pods`,
  );
}
