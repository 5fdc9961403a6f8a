import { errorText } from "../../core/base/mod.ts";
import { filesOf } from "./files.ts";
import { type Missing, MISSING_VARIABLE, reasonFor } from "./needs.ts";
import { runLimited } from "./process.ts";
import { type Suite, TURNS } from "./suites.ts";
import { failureText } from "./summary.ts";
import { absent, judge, type Verdict } from "./verdict.ts";

/** Options of {@linkcode runSuites}. */
export interface RunSuitesOptions {
  readonly root: string;
  /** All test files of the repository, from `root`. */
  readonly files: readonly string[];
  readonly missing: Missing;
  readonly ci: boolean;
  /** Show every line of every suite, not only of those that fail. */
  readonly verbose: boolean;
  /** How many suites may run at once. */
  readonly width: number;
  /** The kubeconfig of the cluster for suites that run on one. */
  readonly cluster: () => Promise<string>;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

const PROGRESS = 15_000;

/** Runs `suites`, turn by turn, `width` at once. */
export async function runSuites(
  suites: readonly Suite[],
  options: RunSuitesOptions,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const now of TURNS) {
    const queue = suites.filter(({ turn }) => turn === now);
    const worker = async (): Promise<void> => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        verdicts.push(await runSuite(next, options).catch((error) => broken(next, error, options)));
      }
    };
    await Promise.all(Array.from({ length: options.width }, worker));
  }
  return verdicts;
}

async function runSuite(suite: Suite, options: RunSuitesOptions): Promise<Verdict> {
  const { ci, missing, say, signal } = options;
  signal.throwIfAborted();
  const files = filesOf(suite, options.files);
  const reason = files.length === 0
    ? `there is no test below ${suite.paths.join(", ")}`
    : reasonFor(suite.needs, missing);
  if (reason !== undefined) return told(absent(suite.name, reason, ci), 0, say);
  say(`${suite.name}: ${files.length} files`);
  const started = performance.now();
  const seconds = (): number => Math.round((performance.now() - started) / 1000);
  let last = "";
  const progress = setInterval(() => say(`${suite.name}: ${seconds()} s: ${last}`), PROGRESS);
  try {
    const kubeconfig = suite.onCluster ? await options.cluster() : "";
    const ended = await runLimited(Deno.execPath(), {
      args: ["test", "--no-prompt", "--no-check", "--frozen", "--allow-all", ...files],
      cwd: options.root,
      env: {
        NO_COLOR: "1",
        RUST_BACKTRACE: "0",
        [MISSING_VARIABLE]: JSON.stringify(missing),
        KUBECONFIG: kubeconfig,
      },
      limit: suite.limit,
      onLine: (line) => {
        if (line.trim() !== "") last = line;
        if (options.verbose) say(`${suite.name} | ${line}`);
      },
      signal,
    });
    signal.throwIfAborted();
    const verdict = judge(suite, ended, ci);
    if (verdict.failed > 0) say(`\n${failureText(ended.output)}\n`);
    return told(verdict, seconds(), say);
  } finally {
    clearInterval(progress);
  }
}

/** A suite that could not run, e.g. as there is no cluster for it, takes no other's result away. */
function broken(
  { name }: Suite,
  error: unknown,
  { say, signal }: Pick<RunSuitesOptions, "say" | "signal">,
): Verdict {
  signal.throwIfAborted();
  const reasons = [errorText(error)];
  return told({ name, passed: 0, failed: 1, skipped: 0, reasons }, 0, say);
}

function told(verdict: Verdict, seconds: number, say: (line: string) => void): Verdict {
  const { name, passed, failed, skipped, reasons } = verdict;
  const word = failed > 0 ? "FAILED" : passed > 0 ? "ok" : "SKIPPED";
  const skips = skipped > 0 ? `, ${skipped} did not run` : "";
  say(`${word} ${name}: ${passed} tests passed, ${failed} failed${skips} (${seconds} s)`);
  for (const reason of reasons) say(`  ${name}: ${reason}`);
  return verdict;
}
