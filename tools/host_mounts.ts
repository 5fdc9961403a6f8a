import { AGENT_OPTIONS, HOST_VIEW } from "../core/parts/mod.ts";

/**
 * What systemd gives the installed agent and a person's machine may lack: a tmpfs for secrets where
 * `/run` is on a disk, and `/dev` and `/sys` where Deno lets the agent look at them. Only as root;
 * quick when all is there. What cannot be mounted is told and costs only the pods that need it.
 */
export async function prepareHost(progress: (line: string) => void): Promise<void> {
  if (Deno.uid() !== 0) return;
  const memory = AGENT_OPTIONS["memory-dir"].fallback;
  if (await kindOf(memory) !== "tmpfs") {
    await mount(["-t", "tmpfs", "-o", "mode=0700,nosuid,nodev", "skerry", memory], progress);
  }
  for (const path of ["/dev", "/sys"]) {
    const view = `${HOST_VIEW}${path}`;
    const { success } = await run("mountpoint", ["--quiet", view]);
    if (!success) await mount(["--bind", path, view], progress);
  }
}

/** The kind of file system below `path`, or below the nearest folder above it that exists. */
async function kindOf(path: string): Promise<string> {
  for (let at = path; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
    const { success, stdout } = await run("stat", ["-f", "-c", "%T", at]);
    if (success) return stdout.trim();
  }
  return "unknown";
}

async function mount(args: readonly string[], progress: (line: string) => void): Promise<void> {
  const target = args.at(-1) ?? "";
  await Deno.mkdir(target, { recursive: true, mode: 0o700 });
  const { success, stderr } = await run("mount", args);
  progress(success ? `mounted ${target}` : `cannot mount ${target}: ${stderr.trim()}`);
}

async function run(
  program: string,
  args: readonly string[],
): Promise<{ success: boolean; stdout: string; stderr: string }> {
  try {
    const { success, ...out } = await new Deno.Command(program, { args: [...args] }).output();
    const [stdout = "", stderr = ""] = [out.stdout, out.stderr]
      .map((bytes) => new TextDecoder().decode(bytes));
    return { success, stdout, stderr };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { success: false, stdout: "", stderr: `${program} is not installed` };
  }
}

if (import.meta.main) {
  // deno-lint-ignore no-console -- progress for the person at the terminal
  await prepareHost((line) => console.error(line));
}
