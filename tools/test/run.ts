import { filesOf } from "./files.ts";
import { type Missing, MISSING_VARIABLE, reasonFor } from "./needs.ts";
import { runLimited } from "./process.ts";
import type { Suite } from "./suites.ts";
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
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

const PROGRESS = 15_000;

/** Runs `suites`, `width` at once and those marked `alone` by themselves at the end. */
export async function runSuites(
  suites: readonly Suite[],
  options: RunSuitesOptions,
): Promise<Verdict[]> {
  const shared = suites.filter(({ alone }) => !alone);
  const queue = [...shared];
  const verdicts: Verdict[] = [];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      verdicts.push(await runSuite(next, options));
    }
  };
  await Promise.all(Array.from({ length: options.width }, worker));
  for (const suite of suites) {
    if (suite.alone) verdicts.push(await runSuite(suite, options));
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
    const ended = await runLimited(Deno.execPath(), {
      args: ["test", "--no-prompt", "--no-check", "--frozen", "--allow-all", ...files],
      cwd: options.root,
      env: { NO_COLOR: "1", RUST_BACKTRACE: "0", [MISSING_VARIABLE]: JSON.stringify(missing) },
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

function told(verdict: Verdict, seconds: number, say: (line: string) => void): Verdict {
  const { name, passed, failed, skipped, reasons } = verdict;
  const word = failed > 0 ? "FAILED" : passed > 0 ? "ok" : "SKIPPED";
  const skips = skipped > 0 ? `, ${skipped} did not run` : "";
  say(`${word} ${name}: ${passed} tests passed, ${failed} failed${skips} (${seconds} s)`);
  for (const reason of reasons) say(`  ${name}: ${reason}`);
  return verdict;
}
