import { AppError } from "../core/base/mod.ts";
import { optionsHelp, parseOptions } from "../core/parts/mod.ts";
import { askAgent, LOCAL_KUBECONFIG } from "./ask_agent.ts";
import { say } from "./say.ts";

const OPTIONS = {
  kubeconfig: {
    help: "kubeconfig that this gateway's agent has written for its own API, no cluster's",
    value: "FILE",
    fallback: LOCAL_KUBECONFIG,
  },
} as const;

/**
 * `skerry check`: asks the agent of this gateway to look at everything that it needs, and prints
 * what is well and what to do about the rest.
 *
 * @throws {AppError} when a check has failed, so that the exit code says so
 */
export async function runCheck(args: readonly string[]): Promise<void> {
  if (args.includes("--help")) {
    return say(optionsHelp("deno task skerry check [options]", OPTIONS));
  }
  const results = await askAgent(parseOptions(OPTIONS, args).kubeconfig);
  const width = Math.max(...results.map(({ name }) => name.length));
  for (const { name, ok, message } of results) {
    say(`${ok ? "ok  " : "FAIL"}  ${name.padEnd(width)}  ${message}`);
  }
  const failed = results.filter(({ ok }) => !ok).length;
  if (failed > 0) {
    throw new AppError("ServiceUnavailable", `${failed} of ${results.length} checks have failed`);
  }
}
