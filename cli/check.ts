import { AppError, errorText } from "../core/base/mod.ts";
import { optionsHelp, parseOptions, STATE_ROOT } from "../core/parts/mod.ts";
import { openClient } from "./client.ts";
import { say } from "./say.ts";

/** Where the agent leaves the kubeconfig of its own API. */
const LOCAL = `${STATE_ROOT}/agent/api/kubeconfig`;

const OPTIONS = {
  kubeconfig: { help: "kubeconfig of this gateway's own API", value: "FILE", fallback: LOCAL },
} as const;

interface Result {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
}

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

/** What the agent found; without an agent that is all there is to say. */
async function askAgent(kubeconfig: string): Promise<Result[]> {
  const agent = (ok: boolean, message: string): Result => ({ name: "agent", ok, message });
  try {
    using client = await openClient(kubeconfig);
    const { checks } = await client.request("GET", "/skerry/v1/check");
    return [agent(true, `answers, by ${kubeconfig}`), ...checks];
  } catch (error) {
    const advice = "start it (systemctl start skerry-agent, or deno task agent), or name the " +
      "kubeconfig that it printed at its start with --kubeconfig";
    return [agent(false, `does not answer: ${errorText(error)}: ${advice}`)];
  }
}
