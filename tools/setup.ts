/**
 * Makes a fresh machine ready: npm packages by the frozen lock, libwasmtime, the example module, and
 * for root the mounts that the agent cannot make.
 * Called by `deno task up` and by the tests; quick when all is there already.
 */
import { errorText } from "../core/base/mod.ts";
import { bundleAgent } from "./bundle.ts";
import { prepareHost } from "./host_mounts.ts";
import { ensureLibrary } from "./libwasmtime/mod.ts";

/** What each process imports: cached now, so that the processes need no network of their own. */
const ENTRIES = ["cloud/main.ts", "agent/main.ts", "runner/main.ts", "cli/up.ts", "cli/skerry.ts"];

/** Does all set-up, telling `progress` what happens. @throws when a step fails */
export async function runSetup(progress: (line: string) => void): Promise<void> {
  progress("checking npm packages");
  await deno(["install", "--quiet", "--frozen"]);
  await deno(["cache", "--quiet", "--frozen", ...ENTRIES]);
  await ensureLibrary({ progress });
  await makeBundle(progress);
  await deno(["run", "--quiet", "-P=tools", "wasm-examples/hello/build.ts"]);
}

/** Without it the agent runs from its sources, which takes more memory. */
async function makeBundle(progress: (line: string) => void): Promise<void> {
  try {
    await bundleAgent();
  } catch (error) {
    progress(`the agent runs from its sources: ${errorText(error)}`);
  }
}

async function deno(args: string[]): Promise<void> {
  const { code } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: new URL("..", import.meta.url),
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (code !== 0) throw new Error(`deno ${args.join(" ")} ended with exit code ${code}`);
}

if (import.meta.main) {
  // deno-lint-ignore no-console -- progress for the person at the terminal
  const progress = (line: string): void => console.error(`set-up: ${line}`);
  try {
    await runSetup(progress);
    await prepareHost(progress);
  } catch (error) {
    progress(`failed: ${errorText(error)}`);
    Deno.exit(1);
  }
}
