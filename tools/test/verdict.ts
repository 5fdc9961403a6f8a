import type { Ended } from "./process.ts";
import type { Suite } from "./suites.ts";
import { failureBriefs, ignoredTests, parseSummary } from "./summary.ts";

/** What a suite (or a step of the set-up) adds to the sum, and why. */
export interface Verdict {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** One line a reason, for failures that the tests' own output does not tell and for skips. */
  readonly reasons: readonly string[];
  /** What failed and why, of tests that tell it, a few lines each. @default {none} */
  readonly briefs?: readonly string[];
}

/** Judges how a suite ended. In CI a test that did not run counts as failed. */
export function judge(
  { name, limit, never }: Pick<Suite, "name" | "limit" | "never">,
  ended: Ended,
  ci: boolean,
): Verdict {
  const summary = parseSummary(ended.output);
  const reasons: string[] = [];
  if (ended.timedOut) reasons.push(`hung: ended after its limit of ${limit} s`);
  for (const program of ended.leftBehind) reasons.push(`left a process behind: ${program}`);
  if (!summary) {
    if (!ended.timedOut) reasons.push(`ended with exit code ${ended.code} before its tests did`);
    return { name, passed: 0, failed: reasons.length, skipped: 0, reasons };
  }
  let failed = summary.failed + reasons.length;
  if (failed === 0 && ended.code !== 0) {
    reasons.push(`every test passed, but the exit code is ${ended.code}`);
    failed++;
  }
  if (summary.passed + summary.failed === 0) {
    reasons.push("ran no test");
    if (ci) failed++;
  }
  const named = ignoredTests(ended.output);
  const ignored = named.filter((test) => !never.includes(test));
  // The closing line counts; the names only explain. What is ignored without a name still counts.
  const count = Math.max(ignored.length, summary.ignored - (named.length - ignored.length));
  return {
    name,
    passed: summary.passed,
    failed: ci ? failed + count : failed,
    skipped: ci ? 0 : count,
    reasons: [...reasons, ...ignored.map((test) => `not run: ${test}`)],
    briefs: failureBriefs(ended.output),
  };
}

/** Something that is not there: a failure in CI, a loud skip elsewhere. */
export function absent(name: string, reason: string, ci: boolean): Verdict {
  return { name, passed: 0, failed: ci ? 1 : 0, skipped: ci ? 0 : 1, reasons: [reason] };
}

/** The closing line that CI counts: `N passed, N failed`, then what was skipped if anything was. */
export function sumLine(verdicts: readonly Verdict[]): string {
  const sum = (key: "passed" | "failed" | "skipped"): number =>
    verdicts.reduce((total, verdict) => total + verdict[key], 0);
  const skipped = sum("skipped");
  return `${sum("passed")} passed, ${sum("failed")} failed` +
    (skipped > 0 ? `, ${skipped} skipped` : "");
}
