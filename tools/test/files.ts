import type { Suite } from "./suites.ts";

const TEST_FILE = /(^|[_.])test\.(ts|tsx|mts|js|mjs)$/;
const SKIPPED_FOLDERS = new Set(["node_modules", "out", "coverage"]);

/** Paths of all test files below `root`, from `root`, sorted. Hidden folders are not looked into. */
export async function findTestFiles(root: string): Promise<string[]> {
  const out: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for await (const { name, isDirectory, isFile } of Deno.readDir(`${root}/${folder}`)) {
      const path = folder === "" ? name : `${folder}/${name}`;
      if (isDirectory && !name.startsWith(".") && !SKIPPED_FOLDERS.has(name)) await walk(path);
      else if (isFile && TEST_FILE.test(name)) out.push(path);
    }
  };
  await walk("");
  return out.sort();
}

/** The test files of `suite`. */
export function filesOf(suite: Suite, files: readonly string[]): string[] {
  return files.filter((file) =>
    suite.paths.some((path) => file === path || file.startsWith(`${path}/`))
  );
}

/** Test files that no suite would run: a check that is skipped in silence. */
export function orphans(suites: readonly Suite[], files: readonly string[]): string[] {
  const covered = new Set(suites.flatMap((suite) => filesOf(suite, files)));
  return files.filter((file) => !covered.has(file));
}
