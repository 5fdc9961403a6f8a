/**
 * Runs one bench: `deno task bench NAME [options]` runs `bench/NAME.ts` (with `-` as `_`) as a
 * process of its own and passes its output through; its last line is JSON with the figures and the
 * conditions. Without a name it lists the benches.
 */
import { bundleAgent } from "../tools/bundle.ts";

const FOLDER = new URL("./", import.meta.url);

/** Names of the benches: the files of this folder that are no test, no helper (`x_lib.ts`), not this one. */
async function findBenches(folder: URL): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (!isFile || !name.endsWith(".ts") || name === "main.ts" || /_(test|lib)\.ts$/.test(name)) {
      continue;
    }
    names.push(name.slice(0, -".ts".length).replaceAll("_", "-"));
  }
  return names.sort();
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  const names = await findBenches(FOLDER);
  if (name === undefined || !names.includes(name)) {
    const list = names.map((known) => `  ${known}`).join("\n") || "  (none yet)";
    say(`${name === undefined ? "" : `There is no bench "${name}".\n`}Benches:\n${list}`);
    return name === undefined || name === "--help" ? 0 : 2;
  }
  // As set-up does it: what is measured is what a gateway runs.
  await bundleAgent();
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--frozen",
      "--allow-all",
      new URL(`${name.replaceAll("-", "_")}.ts`, FOLDER).pathname,
      ...rest,
    ],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  return code;
}

function say(line: string): void {
  // deno-lint-ignore no-console -- what the person asked for
  console.log(line);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
