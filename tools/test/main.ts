/**
 * The tests of the whole repository: sets up what they need, runs the suites, and closes with
 * `N passed, N failed`.
 *
 *     deno task test [--verbose] [--list] [SUITE ...]
 */
import { errorText } from "../../core/base/mod.ts";
import { RunCluster } from "./cluster.ts";
import { findTestFiles, orphans } from "./files.ts";
import { inCi } from "./needs.ts";
import { runSuites } from "./run.ts";
import { setUp } from "./setup.ts";
import { chooseSuites, SUITES } from "./suites.ts";
import { sumLine, type Verdict } from "./verdict.ts";

const ROOT = decodeURIComponent(new URL("../..", import.meta.url).pathname).replace(/\/$/, "");
const WIDTH = Math.min(2, Math.max(1, navigator.hardwareConcurrency));
const USAGE = "usage: deno task test [--verbose] [--list] [SUITE ...]";

async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  const flags = args.filter((arg) => arg.startsWith("-"));
  const unknown = flags.filter((flag) => !["--verbose", "--list"].includes(flag));
  if (unknown.length > 0) throw new RangeError(`Unknown option ${unknown.join(", ")}\n${USAGE}`);
  const suites = chooseSuites(args.filter((arg) => !arg.startsWith("-")));
  if (flags.includes("--list")) {
    for (const { name, paths } of suites) say(`${name}: ${paths.join(" ")}`);
    return 0;
  }
  const ci = inCi((name) => Deno.env.get(name));
  const verdicts: Verdict[] = [];
  try {
    const missing = await setUp({ root: ROOT, ci, say, signal });
    for (const [need, reason] of Object.entries(missing)) say(`missing here: ${need}: ${reason}`);
    const files = await findTestFiles(ROOT);
    for (const file of orphans(SUITES, files)) {
      const reason = `${file} is in no suite of tools/test/suites.ts`;
      say(`FAILED ${reason}`);
      verdicts.push({ name: file, passed: 0, failed: 1, skipped: 0, reasons: [reason] });
    }
    const verbose = flags.includes("--verbose");
    await using shared = new RunCluster(Deno.env.get("KUBECONFIG"), say);
    const cluster = (): Promise<string> => shared.kubeconfig();
    const options = { root: ROOT, files, missing, ci, verbose, width: WIDTH, cluster, say, signal };
    verdicts.push(...await runSuites(suites, options));
  } catch (error) {
    const reason = errorText(error);
    say(`FAILED ${reason}`);
    verdicts.push({ name: "run", passed: 0, failed: 1, skipped: 0, reasons: [reason] });
  }
  tell(verdicts);
  return verdicts.some(({ failed }) => failed > 0) ? 1 : 0;
}

function tell(verdicts: readonly Verdict[]): void {
  const skipped = verdicts.filter((verdict) => verdict.skipped > 0);
  if (skipped.length > 0) say("\nDid not run here (CI would fail):");
  for (const verdict of skipped) {
    for (const reason of verdict.reasons) say(`  ${verdict.name}: ${reason}`);
  }
  const failed = verdicts.filter((verdict) => verdict.failed > 0);
  if (failed.length > 0) say(`\nFailed: ${failed.map(({ name }) => name).join(", ")}`);
  for (const brief of failed.flatMap(({ briefs = [] }) => briefs)) say(`  ${brief}`);
  say(sumLine(verdicts));
}

function say(line: string): void {
  // deno-lint-ignore no-console -- what the person asked for
  console.log(line);
}

if (import.meta.main) {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(name, () => stop.abort(new Error(`stopped by ${name}`)));
  }
  try {
    Deno.exit(await main(Deno.args, stop.signal));
  } catch (error) {
    say(errorText(error));
    Deno.exit(2);
  }
}
