/** Real kubectl with one kubeconfig for each user. */
import { deadline, seconds, systemClock } from "../../core/base/mod.ts";
import { findKubectl } from "../../tools/kubectl.ts";

/** What a command printed and how it ended. */
export interface Output {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** How one kubectl is run. */
export interface KubectlOptions {
  readonly stdin?: string;
  /** @default {"admin"} */
  readonly as?: "admin" | "viewer" | "nobody";
}

/** kubectl as the users of a cluster. */
export interface KubectlAt {
  /** Runs it to its end. */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<Output>;
  /** As {@linkcode kubectl}, and throws with all output when it fails. Returns standard output. */
  ok(args: readonly string[], options?: KubectlOptions): Promise<string>;
  /** Starts it and leaves it running; the caller ends it. */
  start(args: readonly string[]): Deno.ChildProcess;
}

const LIMIT = seconds(60);

/** kubectl with the kubeconfigs of a folder: `admin`, `viewer`, `nobody`. */
export async function kubectlIn(folder: string): Promise<KubectlAt> {
  const program = await findKubectl();
  const command = (args: readonly string[], as = "admin"): Deno.Command =>
    new Deno.Command(program, {
      args: [`--kubeconfig=${folder}/${as}`, `--cache-dir=${folder}/cache`, ...args],
      env: { HOME: folder, KUBECTL_EXTERNAL_DIFF: "diff -u -N" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    });
  const run = async (args: readonly string[], options: KubectlOptions = {}): Promise<Output> => {
    const child = command(args, options.as).spawn();
    using limit = deadline(systemClock, LIMIT, () => new Error("kubectl took too long"));
    limit.signal.addEventListener("abort", () => child.kill("SIGKILL"));
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.stdin ?? "")).catch(() => {});
    await writer.close().catch(() => {});
    const { code, stdout, stderr } = await child.output();
    const text = (data: Uint8Array): string => new TextDecoder().decode(data);
    return { code, out: text(stdout), err: text(stderr) };
  };
  return {
    kubectl: run,
    async ok(args, options) {
      const { code, out, err } = await run(args, options);
      if (code === 0) return out;
      throw new Error(`kubectl ${args.join(" ")} ended with ${code}:\n${out}${err}`);
    },
    start: (args) => command(args).spawn(),
  };
}
