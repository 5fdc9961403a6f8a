import { AppError, type Bytes, bytes, mib } from "../../core/base/mod.ts";

/** A manifest holds at least a ConfigMap of Kubernetes' largest size, and its function. */
const MANIFEST_CAP = mib(2);
const MANIFESTS_CAP = 500;
/** All manifests together; they are in memory at once. */
export const MANIFESTS_BYTES_CAP = mib(32);

/** The manifests of a folder. */
export interface Listing {
  /** Says which folder has the name: another one may take its place. */
  readonly place: string;
  /** File names in order. */
  readonly files: readonly string[];
}

/**
 * Lists the manifests (`*.yaml`, `*.yml`, `*.json`, no dot in front); `undefined` when there is no
 * such folder.
 *
 * @throws {AppError} RequestEntityTooLarge for too many files
 * @throws what the system says of a folder that cannot be read
 */
export async function listManifests(folder: string): Promise<Listing | undefined> {
  const files: string[] = [];
  try {
    const { dev, ino } = await Deno.stat(folder);
    for await (const { isDirectory, name } of Deno.readDir(folder)) {
      if (isDirectory || !/^[^.].*\.(ya?ml|json)$/.test(name)) continue;
      files.push(name);
      if (files.length <= MANIFESTS_CAP) continue;
      throw new AppError("RequestEntityTooLarge", `it has more than ${MANIFESTS_CAP} manifests`);
    }
    return { place: `${dev}:${ino}`, files: files.sort() };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * Reads one manifest of at most `left` bytes.
 *
 * @throws {AppError} RequestEntityTooLarge; Invalid for what is no file or an empty one
 * @throws what the system says of a file that cannot be read
 */
export async function readManifest(
  folder: string,
  file: string,
  left: Bytes,
): Promise<{ readonly text: string; readonly size: Bytes }> {
  const path = `${folder}/${file}`;
  const { size, isFile } = await Deno.stat(path);
  if (!isFile) throw new AppError("Invalid", `${file} is no regular file`);
  if (size > MANIFEST_CAP) {
    throw new AppError("RequestEntityTooLarge", `${file} is larger than ${MANIFEST_CAP} bytes`);
  }
  if (size > left) {
    throw new AppError(
      "RequestEntityTooLarge",
      `${file} does not fit: all manifests together may have ${MANIFESTS_BYTES_CAP} bytes`,
    );
  }
  const text = await Deno.readTextFile(path);
  // Most often it is just being written, so it is no evidence of an end.
  if (text.trim() === "") {
    throw new AppError("Invalid", `${file} is empty: remove it to end what it named`);
  }
  return { text, size: bytes(size) };
}
