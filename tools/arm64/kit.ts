import { errorText } from "../../core/base/mod.ts";
import { ensureLibrary } from "../libwasmtime/mod.ts";

/** What runs arm64 programs here. */
export interface Arm64 {
  /** Program and arguments in front of Deno's own. */
  readonly deno: readonly [string, ...string[]];
  /** The arm64 libwasmtime. */
  readonly library: string;
}

/** Debian's packages that the arm64 Deno needs; of the architecture arm64, unpacked, not installed. */
const LIBRARIES = ["libc6", "libgcc-s1"];

/**
 * Makes sure that the arm64 Deno of this version, its libraries and an arm64 libwasmtime lie in the
 * cache, and qemu is installed. Fetches by npm, apt and pip what is absent; needs root for apt.
 *
 * @throws {Error} naming the step that failed
 */
export async function ensureArm64(progress: (line: string) => void): Promise<Arm64> {
  const home = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`;
  const cache = `${home}/skerry/arm64/${Deno.version.deno}`;
  await Deno.mkdir(cache, { recursive: true });
  const qemu = "qemu-aarch64-static";
  if (!await works(qemu, ["--version"])) {
    progress("installing qemu-user-static");
    await must("apt-get", ["update", "-q"]);
    const options = ["-y", "-q", "--no-install-recommends"];
    await must("apt-get", ["install", ...options, "qemu-user-static"]);
  }
  await once(`${cache}/root`, (folder) => fetchLibraries(folder, progress));
  await once(`${cache}/deno`, (folder) => fetchDeno(folder, progress));
  return {
    deno: [qemu, "-L", `${cache}/root`, `${cache}/deno/package/deno`],
    library: await ensureLibrary({ arch: "aarch64", progress }),
  };
}

/** Makes a folder whole or not at all, so that a run that was ended leaves nothing half made. */
async function once(folder: string, make: (folder: string) => Promise<void>): Promise<void> {
  if (await Deno.stat(folder).then(() => true, () => false)) return;
  const work = await Deno.makeTempDir({ dir: folder.slice(0, folder.lastIndexOf("/")) });
  try {
    await make(work);
    await Deno.rename(work, folder);
  } catch (cause) {
    await Deno.remove(work, { recursive: true });
    throw new Error(`Cannot make ${folder}: ${errorText(cause)}`, { cause });
  }
}

/** With lists and caches of its own, apt knows arm64 without the machine's having to. */
async function fetchLibraries(
  folder: string,
  progress: (line: string) => void,
): Promise<void> {
  progress(`fetching ${LIBRARIES.join(" and ")} for arm64`);
  const state = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${state}/lists/partial`, { recursive: true });
    await Deno.mkdir(`${state}/cache/archives/partial`, { recursive: true });
    await Deno.writeTextFile(`${state}/status`, "");
    const settings = [
      ...["APT::Architecture=arm64", "APT::Architectures=arm64", "APT::Sandbox::User=root"],
      ...[`Dir::State::lists=${state}/lists`, `Dir::State::status=${state}/status`],
      `Dir::Cache=${state}/cache`,
    ].flatMap((setting) => ["-o", setting]);
    await must("apt-get", [...settings, "update", "-q"]);
    await must("apt-get", [...settings, "download", "-q", ...LIBRARIES], state);
    for await (const { name } of Deno.readDir(state)) {
      if (name.endsWith(".deb")) await must("dpkg-deb", ["-x", `${state}/${name}`, folder]);
    }
  } finally {
    await Deno.remove(state, { recursive: true });
  }
}

async function fetchDeno(folder: string, progress: (line: string) => void): Promise<void> {
  progress(`fetching Deno ${Deno.version.deno} for arm64 (39 MB, with npm)`);
  const name = `@deno/linux-arm64-glibc@${Deno.version.deno}`;
  await must("npm", ["pack", "--silent", name], folder);
  for await (const entry of Deno.readDir(folder)) {
    if (!entry.name.endsWith(".tgz")) continue;
    await must("tar", ["-xzf", entry.name], folder);
    await Deno.remove(`${folder}/${entry.name}`);
  }
  await Deno.chmod(`${folder}/package/deno`, 0o755);
}

async function works(program: string, args: readonly string[]): Promise<boolean> {
  const run = new Deno.Command(program, { args: [...args], stdout: "null", stderr: "null" });
  try {
    return (await run.output()).success;
  } catch {
    // A program that is not there is told at once, and not by the promise.
    return false;
  }
}

async function must(program: string, args: readonly string[], cwd?: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    env: { DEBIAN_FRONTEND: "noninteractive" },
    ...(cwd === undefined ? {} : { cwd }),
  }).output();
  if (success) return;
  throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}
