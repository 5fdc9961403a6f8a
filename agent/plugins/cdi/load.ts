import { parse } from "yaml";
import { AppError, errorText, kib } from "../../../core/base/mod.ts";
import { CdiSpec } from "./edits.ts";

/** Longer files are no CDI specs. */
const MAX_SIZE = kib(1024);
const MAX_FILES = 256;

/**
 * Reads all CDI specs of these folders, which need not be there. A file that is no spec is told of
 * and left out: it may be about a device that nobody asks for.
 */
export async function loadCdiSpecs(
  folders: readonly string[],
  bad: (path: string, problem: string) => void,
): Promise<CdiSpec[]> {
  const specs: CdiSpec[] = [];
  for (const folder of folders) {
    for (const name of await specFiles(folder)) {
      const path = `${folder}/${name}`;
      try {
        specs.push(await loadSpec(path));
      } catch (error) {
        bad(path, errorText(error));
      }
    }
  }
  return specs;
}

async function specFiles(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      if (/\.(json|ya?ml)$/.test(name)) names.push(name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort().slice(0, MAX_FILES);
}

async function loadSpec(path: string): Promise<CdiSpec> {
  const { size } = await Deno.stat(path);
  if (size > MAX_SIZE) throw new AppError("Invalid", `a CDI spec of ${size} bytes is not read`);
  const text = await Deno.readTextFile(path);
  return CdiSpec.parse(path.endsWith(".json") ? JSON.parse(text) : parse(text));
}
