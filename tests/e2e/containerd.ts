import { runCommand } from "../../tools/containerd/mod.ts";
import { registryProblem } from "../../tools/registry/mod.ts";

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
  return unless(name, await containerdProblem());
}

/** The same for a test that also needs a registry. */
export async function needsRegistry(name: string): Promise<{ name: string; ignore: boolean }> {
  return unless(name, await containerdProblem() ?? await registryProblem());
}

function unless(name: string, problem: string | undefined): { name: string; ignore: boolean } {
  if (problem === undefined || Deno.env.has("CI")) return { name, ignore: false };
  return { name: `${name} (skipped: ${problem})`, ignore: true };
}
