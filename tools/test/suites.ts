import type { Need } from "./needs.ts";

/** A set of test files that runs as one `deno test` process. */
export interface Suite {
  readonly name: string;
  /** Folders from the repository's root. */
  readonly paths: readonly string[];
  /** Without these the whole suite means nothing; on a laptop it is then skipped with the reason. */
  readonly needs: readonly Need[];
  /** A suite that takes longer hangs: it is ended and counts as failed. Seconds. */
  readonly limit: number;
  /** Whether no other suite may run beside it. */
  readonly alone: boolean;
  /** Names of tests that never apply here: skipping exactly these is right, in CI as well. */
  readonly never: readonly string[];
}

const MINUTE = 60;

/**
 * Every suite, in the order they start: quick ones first, so that a plain mistake shows early.
 * A test file that no suite covers is a failure (see `coverage.ts`).
 */
export const SUITES: readonly Suite[] = [
  // Emulated, so it takes longest: the others run beside it.
  suite("arm64", ["tests/arm64"], 40 * MINUTE),
  suite("unit-core", ["core"], 5 * MINUTE),
  suite("unit-agent", ["agent", "tests/golden"], 5 * MINUTE),
  suite("unit-cloud", ["cloud"], 5 * MINUTE),
  suite("unit-runner", ["runner"], 5 * MINUTE, { needs: ["libwasmtime"] }),
  suite("unit-cli", ["cli"], 5 * MINUTE),
  suite("unit-tools", ["tools", "bench", "packaging", "wasm-examples"], 10 * MINUTE),
  suite("sim", ["tests/sim"], 5 * MINUTE),
  suite("fuzz", ["tests/fuzz"], 5 * MINUTE),
  suite("conformance", ["tests/conformance"], 10 * MINUTE, {
    // The fake runtime has neither; containerd's is held to both in e2e.
    never: [
      "log files hold what the container printed (skipped: the runtime has no logs)",
      "reopenLog() makes the runtime write to a new file (skipped: the runtime has no logs)",
      "streamUrl() gives a loopback address for exec, attach and port-forward (skipped: the runtime has no streams)",
    ],
  }),
  suite("compat", ["tests/compat"], 10 * MINUTE, { needs: ["kubectl"] }),
  suite("kube", ["tests/kube"], 20 * MINUTE, { needs: ["kube"], alone: true }),
  suite("e2e", ["tests/e2e"], 30 * MINUTE, { needs: ["kubectl", "libwasmtime"], alone: true }),
];

function suite(
  name: string,
  paths: readonly string[],
  limit: number,
  rest: Partial<Pick<Suite, "needs" | "alone" | "never">> = {},
): Suite {
  const { needs = [], alone = false, never = [] } = rest;
  return { name, paths, limit, needs, alone, never };
}

/**
 * The suites that `words` name (all when there are none).
 *
 * @throws {RangeError} when a word names no suite; the message lists the names
 */
export function chooseSuites(words: readonly string[], all = SUITES): readonly Suite[] {
  if (words.length === 0) return all;
  for (const word of words) {
    if (all.some(({ name }) => name === word)) continue;
    throw new RangeError(
      `There is no suite "${word}"; there are: ${all.map(({ name }) => name).join(", ")}`,
    );
  }
  return all.filter(({ name }) => words.includes(name));
}
