import type { Need } from "./needs.ts";

/**
 * What runs side by side: first what fills the processors, then what waits most of its time for
 * control planes, containers and nodes that are lost.
 */
export const TURNS = ["machine", "world"] as const;

/** One of {@linkcode TURNS}. */
export type Turn = typeof TURNS[number];

/** A set of test files that runs as one `deno test` process. */
export interface Suite {
  readonly name: string;
  /** Folders from the repository's root, or single files. */
  readonly paths: readonly string[];
  /** Without these the whole suite means nothing; on a laptop it is then skipped with the reason. */
  readonly needs: readonly Need[];
  /** A suite that takes longer hangs: it is ended and counts as failed. Seconds. */
  readonly limit: number;
  /** Suites of one turn run side by side, those of the next after them. */
  readonly turn: Turn;
  /** Whether its tests run on a real cluster (`cluster.ts`), and not on the embedded hub. */
  readonly onCluster: boolean;
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
  suite("unit-core", ["core"], 10 * MINUTE),
  suite("unit-agent", ["agent", "tests/golden"], 10 * MINUTE),
  suite("unit-cloud", ["cloud"], 10 * MINUTE),
  suite("unit-runner", ["runner"], 10 * MINUTE, { needs: ["libwasmtime"] }),
  suite("unit-cli", ["cli"], 10 * MINUTE),
  suite("unit-tools", ["tools", "bench", "packaging", "wasm-examples"], 10 * MINUTE),
  suite("sim", ["tests/sim"], 10 * MINUTE),
  suite("fuzz", ["tests/fuzz"], 10 * MINUTE),
  suite("conformance", ["tests/conformance"], 10 * MINUTE, {
    // The fake runtime has neither; containerd's is held to both in e2e.
    never: [
      "log files hold what the container printed (skipped: the runtime has no logs)",
      "reopenLog() makes the runtime write to a new file (skipped: the runtime has no logs)",
      "streamUrl() gives a loopback address for exec, attach and port-forward, and no terminal a stderr (skipped: the runtime has no streams)",
    ],
  }),
  suite("compat", ["tests/compat"], 10 * MINUTE, { needs: ["kubectl"] }),
  // What is about Kubernetes and not about Skerry's own API alone.
  suite(
    "compat-cluster",
    filesIn("tests/compat", ["kubectl", "list", "kubeedge", "plane"]),
    10 * MINUTE,
    {
      needs: ["kubectl", "kube"],
      onCluster: true,
    },
  ),
  // Each file has control planes of its own, whose parts it kills: never the cluster of `KUBECONFIG`.
  suite("kube", ["tests/kube"], 30 * MINUTE, { needs: ["kube"], turn: "world" }),
  suite("e2e", ["tests/e2e"], 30 * MINUTE, {
    needs: ["kubectl", "libwasmtime", "kube"],
    turn: "world",
    onCluster: true,
  }),
  // Also on control planes of its own; begun when `e2e` is over, it ends when `kube` does.
  suite("groups", ["tests/groups"], 15 * MINUTE, { needs: ["kube"], turn: "world" }),
  // On the embedded hub as well: its store through a crash, its scheduler and controllers, its
  // endpoints. Tests of that hub itself are on it in `e2e` too: gateway_start, gateway_up, top.
  suite(
    "e2e-embedded",
    filesIn("tests/e2e", ["gateway_hub_killed", "gateway_two_nodes", "gateway_probes"]),
    10 * MINUTE,
    { needs: ["kubectl", "libwasmtime"], turn: "world" },
  ),
];

function filesIn(folder: string, names: readonly string[]): string[] {
  return names.map((name) => `${folder}/${name}_test.ts`);
}

function suite(
  name: string,
  paths: readonly string[],
  limit: number,
  rest: Partial<Pick<Suite, "needs" | "turn" | "onCluster" | "never">> = {},
): Suite {
  const { needs = [], turn = "machine", onCluster = false, never = [] } = rest;
  return { name, paths, limit, needs, turn, onCluster, never };
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
