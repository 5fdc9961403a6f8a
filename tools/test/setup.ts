import { findMissing, type Missing, type Need } from "./needs.ts";
import { runLimited } from "./process.ts";

/** One piece of the set-up: a script that makes sure that something is there. */
interface Step {
  readonly title: string;
  readonly args: readonly string[];
  /** What is missing when the step fails; absent when nothing can run without it. */
  readonly gives?: Need;
  readonly ciOnly?: boolean;
  /** Seconds that it may take. @default {600} */
  readonly limit?: number;
}

const STEPS: readonly Step[] = [
  { title: "npm packages from the frozen lock", args: ["install", "--frozen", "--quiet"] },
  {
    title: "libwasmtime",
    args: ["run", "-A", "tools/libwasmtime/fetch.ts"],
    gives: "libwasmtime",
  },
  {
    title: "the agent as one file",
    args: ["run", "-A", "tools/bundle.ts"],
    gives: "bundle",
  },
  {
    title: "kubectl",
    args: ["eval", 'console.log(await (await import("./tools/kubectl.ts")).findKubectl())'],
    gives: "kubectl",
  },
  {
    title: "helm",
    args: ["eval", 'console.log(await (await import("./tools/helm.ts")).findHelm())'],
    gives: "helm",
  },
  {
    title: "containerd and what it needs",
    args: ["run", "-A", "tools/containerd/install.ts"],
    gives: "containerd",
    ciOnly: true,
  },
  {
    title: "a device plugin, built with Go",
    args: ["run", "-A", "tools/deviceplugin/build.ts"],
    gives: "device-plugin",
  },
  {
    title: "Kubernetes and metrics-server, built with Go (the first time some 11 minutes)",
    args: ["run", "-A", "tools/kube/build.ts"],
    gives: "kube",
    limit: 1800,
  },
];

const LIMIT = 600;

/** Options of {@linkcode setUp}. */
export interface SetUpOptions {
  readonly root: string;
  readonly ci: boolean;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Fetches what the tests need and returns what could not be had, with the reasons.
 *
 * @throws {Error} when the npm packages cannot be had: nothing runs without them
 */
export async function setUp(options: SetUpOptions): Promise<Missing> {
  const { root, ci, say, signal } = options;
  const failed: { [N in Need]?: string } = {};
  for (const { title, args, gives, ciOnly, limit = LIMIT } of STEPS) {
    if (ciOnly && !ci) continue;
    say(`set-up: ${title}`);
    const onLine = (line: string): void => say(`  ${line}`);
    const ended = await runLimited(Deno.execPath(), {
      args,
      cwd: root,
      env: { NO_COLOR: "1", RUST_BACKTRACE: "0" },
      limit,
      onLine,
      signal,
    });
    signal.throwIfAborted();
    if (ended.code === 0) continue;
    const reason = ended.timedOut
      ? `${title}: took longer than ${limit} s`
      : `${title}: ${lastLine(ended.output)}`;
    if (gives === undefined) throw new Error(`The set-up failed at ${reason}`);
    failed[gives] = reason;
  }
  return { ...findMissing(), ...failed };
}

function lastLine(output: string): string {
  const lines = output.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return lines.at(-1) ?? "said nothing";
}
