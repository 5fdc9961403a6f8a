import { runCommand } from "../../tools/containerd/mod.ts";

/** Why real containers cannot run here; `undefined` when they can. */
export async function containerdProblem(): Promise<string | undefined> {
  if (Deno.uid() !== 0) return "not root";
  const found = await runCommand("containerd", ["--version"]);
  return found.success ? undefined : "containerd is not installed";
}

/**
 * Options for `Deno.test` of a test that needs real containers: skipped where they cannot run, with
 * the reason in its name, but never in CI.
 */
export async function needsContainerd(name: string): Promise<{ name: string; ignore: boolean }> {
  const problem = await containerdProblem();
  if (problem === undefined || Deno.env.has("CI")) return { name, ignore: false };
  return { name: `${name} (skipped: ${problem})`, ignore: true };
}
