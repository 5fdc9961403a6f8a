/** What the closing line of `deno test` says. */
export interface Summary {
  readonly passed: number;
  readonly failed: number;
  /** Tests and steps that did not run. */
  readonly ignored: number;
}

// deno-lint-ignore no-control-regex -- colours are control characters
const COLOURS = /\x1b\[[0-9;]*m/g;
const CLOSING =
  /^(?:ok|FAILED) \| (\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed(?: \(\d+ steps?\))?(?: \| (\d+) ignored(?: \((\d+) steps?\))?)?/;

/**
 * Reads the closing line of `deno test`, e.g.
 * `ok | 12 passed (3 steps) | 0 failed | 1 ignored (2 steps) (4s)`, from all it printed.
 * `undefined` when there is none: the process ended before its tests did.
 */
export function parseSummary(output: string): Summary | undefined {
  for (const line of plainLines(output).reverse()) {
    const match = CLOSING.exec(line);
    if (!match) continue;
    const [, passed, failed, ignored, steps] = match;
    return {
      passed: Number(passed),
      failed: Number(failed),
      ignored: Number(ignored ?? 0) + Number(steps ?? 0),
    };
  }
  return undefined;
}

/** Names of the tests and steps that `deno test` says it ignored. */
export function ignoredTests(output: string): string[] {
  return plainLines(output).flatMap((line) => {
    const match = /^\s*(.*?) \.\.\. ignored(?: \(.*\))?$/.exec(line);
    return match?.[1] === undefined ? [] : [match[1]];
  });
}

/** The part of the output that explains a failure: from ` ERRORS ` on, else its last lines. */
export function failureText(output: string, limit = 400): string {
  const lines = plainLines(output);
  const start = lines.findIndex((line) => line.trim() === "ERRORS");
  const chosen = start >= 0 ? lines.slice(start) : lines.slice(-limit);
  return chosen.length <= limit
    ? chosen.join("\n")
    : [...chosen.slice(0, limit), `(${chosen.length - limit} more lines)`].join("\n");
}

/**
 * What failed and why in few lines, for the end of a long log: of each error of `deno test` the test's
 * name and place, and what it says before its stack.
 */
export function failureBriefs(output: string, limit = 30): string[] {
  const lines = plainLines(output);
  const start = lines.findIndex((line) => line.trim() === "ERRORS");
  const end = lines.findIndex((line) => line.trim() === "FAILURES");
  if (start < 0 || end < start) return [];
  const briefs: string[] = [];
  for (let at = start; at < end; at++) {
    if (!/ => \S+:\d+:\d+$/.test(lines[at] ?? "")) continue;
    const rest = lines.slice(at, end);
    const stack = rest.findIndex((line) => /^\s+at /.test(line));
    const said = rest.slice(0, stack < 0 ? limit : Math.min(stack, limit));
    briefs.push(
      said.filter((line) => line.trim() !== "").map((line) => line.slice(0, 400)).join("\n"),
    );
  }
  return briefs;
}

function plainLines(output: string): string[] {
  return output.replaceAll(COLOURS, "").trimEnd().split("\n");
}
