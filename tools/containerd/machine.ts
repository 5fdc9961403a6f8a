import type { MachineTraits } from "./config.ts";

const CNI_FOLDERS = ["/usr/lib/cni", "/opt/cni/bin"];
const CAP_SYS_RESOURCE = 1n << 24n;

/** Output of a program that has ended. */
export interface CommandResult {
  readonly success: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. Never throws for a bad exit code; a program that is absent fails. */
export async function runCommand(name: string, args: readonly string[]): Promise<CommandResult> {
  try {
    const output = await new Deno.Command(name, { args: [...args], stdin: "null" }).output();
    const decoder = new TextDecoder();
    return {
      success: output.success,
      stdout: decoder.decode(output.stdout),
      stderr: decoder.decode(output.stderr).trim(),
    };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { success: false, stdout: "", stderr: `${name} is not installed` };
  }
}

/** As {@linkcode runCommand}, but a bad exit code is an error with what the program said. */
export async function mustRun(name: string, args: readonly string[]): Promise<string> {
  const result = await runCommand(name, args);
  if (!result.success) throw new Error(`${name} ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}

/** Reads from this machine what containerd's configuration depends on. */
export async function loadMachineTraits(): Promise<MachineTraits> {
  const status = await Deno.readTextFile("/proc/self/status");
  const caps = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  return { sysResource: (caps & CAP_SYS_RESOURCE) !== 0n, cniBin: await findCniFolder() };
}

async function findCniFolder(): Promise<string> {
  for (const folder of CNI_FOLDERS) {
    if (await Deno.stat(`${folder}/bridge`).catch(() => undefined)) return folder;
  }
  throw new Error(
    `No CNI plugins in ${CNI_FOLDERS.join(" or ")}: run deno run -A tools/containerd/install.ts`,
  );
}

/** Ids of the processes for whose command line `match` holds. */
export async function findProcesses(
  match: (args: readonly string[]) => boolean,
): Promise<number[]> {
  const found: number[] = [];
  for await (const entry of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    const line = await Deno.readTextFile(`/proc/${entry.name}/cmdline`).catch(() => "");
    if (line !== "" && match(line.split("\0"))) found.push(Number(entry.name));
  }
  return found;
}

/** Ids of the processes whose parent is one of `parents`. */
export async function findChildren(parents: ReadonlySet<number>): Promise<number[]> {
  const found: number[] = [];
  for await (const entry of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    const status = await Deno.readTextFile(`/proc/${entry.name}/status`).catch(() => "");
    const parent = /^PPid:\s*(\d+)/m.exec(status)?.[1];
    if (parent && parents.has(Number(parent))) found.push(Number(entry.name));
  }
  return found;
}

/** Sends `signal`; a process that is gone is no error. */
export function signalProcess(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Polls `condition` until it holds, or until `limit` milliseconds are over: then `false`. */
export async function waitUntil(
  condition: () => Promise<boolean>,
  limit: number,
): Promise<boolean> {
  const end = performance.now() + limit;
  while (!await condition()) {
    if (performance.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}
