/**
 * Makes one file of the agent and all that it imports, if there is none of these sources yet:
 *
 *     deno task bundle
 *
 * Deno fetches its bundler (esbuild) from npm at the first time.
 */
import { BUNDLE, sourceStamp, STAMP } from "../cli/agent_main.ts";
import { errorText } from "../core/base/mod.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** Returns whether it had to be made. @throws {Error} when it cannot */
export async function bundleAgent(root = ROOT): Promise<boolean> {
  const stamp = await sourceStamp(root);
  const before = await Deno.readTextFile(`${root}/${STAMP}`).catch(() => undefined);
  if (before === stamp) return false;
  await Deno.mkdir(`${root}/bundle`, { recursive: true });
  // The stamp goes first and comes last: at no moment does it name another bundle than its own.
  await Deno.remove(`${root}/${STAMP}`).catch(() => {});
  const made = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["bundle", "--quiet", "--frozen", "--minify", "--platform", "deno"],
      // What the agent imports when it needs it stays where it is; the bundler breaks it besides.
      ...["yaml", "@peculiar/x509", "reflect-metadata"].map((name) => `--external=${name}`),
      ...[`${root}/agent/main.ts`, "--output", `${root}/${BUNDLE}.new`],
    ],
    cwd: root,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!made.success) throw new Error(new TextDecoder().decode(made.stderr).trim());
  await Deno.rename(`${root}/${BUNDLE}.new`, `${root}/${BUNDLE}`);
  await Deno.writeTextFile(`${root}/${STAMP}.new`, stamp);
  await Deno.rename(`${root}/${STAMP}.new`, `${root}/${STAMP}`);
  return true;
}

if (import.meta.main) {
  try {
    const made = await bundleAgent();
    // deno-lint-ignore no-console -- tells the person what happened
    console.log(made ? `made ${BUNDLE}` : `${BUNDLE} is of these sources`);
  } catch (error) {
    // deno-lint-ignore no-console -- tells the person what is wrong
    console.error(`the agent cannot be made one file: ${errorText(error)}`);
    Deno.exit(1);
  }
}
