import { AppError, errorText } from "../../core/base/mod.ts";
import { isMet, type Observations, parseThresholds } from "../eviction/mod.ts";
import type { CheckContext } from "./check.ts";

/** That files can be written below `option`'s folder and that its disk has room. */
export async function requireDisk(
  option: "state-dir" | "pod-logs",
  { options, disk }: Pick<CheckContext, "options" | "disk">,
): Promise<string> {
  const folder = options[option];
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
        `folder with --${option}`,
      { cause },
    );
  }
  const found = await disk(folder);
  if (!found) return `${folder} can be written`;
  const { size, available, inodes, inodesFree } = found;
  const free = Math.round(available / 2 ** 20);
  const met = thresholdsMet(options, {
    "nodefs.available": { available, capacity: size },
    ...(inodes > 0 ? { "nodefs.inodesFree": { available: inodesFree, capacity: inodes } } : {}),
  });
  if (met === "") return `${folder} can be written, ${free} MiB are free`;
  throw new AppError(
    "ServiceUnavailable",
    `the disk of ${folder} is nearly full (${free} MiB and ${inodesFree} inodes free): remove ` +
      `files; the node evicts pods below ${met} (--eviction-hard)`,
  );
}

/** The signals of `--eviction-hard` at which the node would evict pods now; "" for none. */
export function thresholdsMet(
  options: CheckContext["options"],
  observations: Observations,
): string {
  return parseThresholds(options["eviction-hard"])
    .filter((threshold) => isMet(threshold, observations))
    .map(({ signal, below }) =>
      `${signal} ${"share" in below ? `${below.share * 100}%` : below.amount}`
    )
    .join(", ");
}
