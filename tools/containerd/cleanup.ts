import { bridgeNetwork, type ContainerdPaths } from "./config.ts";
import { findChildren, findProcesses, runCommand, signalProcess, waitUntil } from "./machine.ts";

/**
 * Ends and removes everything that the containerd of `paths` left on the machine: shims and their
 * containers (found by its socket path, which no other containerd has), mounts, cgroups, the bridge
 * `network` and the folder itself. containerd must have stopped.
 *
 * @throws {Error} when something resists; the message names it.
 */
export async function cleanUp(paths: ContainerdPaths, network: number | undefined): Promise<void> {
  await endShims(paths);
  await unmountBelow(paths.dir);
  if (network !== undefined) {
    // Before the bridge, which keeps others from its name.
    await removePortRules(bridgeNetwork(network).bridge);
    await removeBridge(network);
  }
  await Deno.remove(paths.dir, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

/** Deletes the bridge number `index`. */
export async function removeBridge(index: number): Promise<void> {
  await runCommand("ip", ["link", "delete", bridgeNetwork(index).bridge]);
}

/** Where the portmap plugin hangs its rules of each pod, with the network's name in a comment. */
const PORTS = "CNI-HOSTPORT-DNAT";

/**
 * Removes the host ports of pods on `network` that were never taken down: CNI does that only for
 * pods that containerd still knows.
 */
async function removePortRules(network: string): Promise<void> {
  const table = ["-w", "-t", "nat"];
  const list = await runCommand("iptables", [...table, "-n", "--line-numbers", "-L", PORTS]);
  const rules = list.stdout.split("\n").filter((line) => line.includes(`name: "${network}" `));
  // From the last, as the numbers of those behind a deleted rule change.
  for (const rule of rules.reverse()) {
    const [number = "", chain = ""] = rule.trim().split(/\s+/);
    await runCommand("iptables", [...table, "-D", PORTS, number]);
    await runCommand("iptables", [...table, "-F", chain]);
    await runCommand("iptables", [...table, "-X", chain]);
  }
}

/** Ids of the shims that the containerd on `socket` started. */
export function findShims(socket: string): Promise<number[]> {
  return findProcesses((args) =>
    (args[0]?.split("/").at(-1) ?? "").startsWith("containerd-shim") &&
    args[args.indexOf("-address") + 1] === socket
  );
}

/** Containers first: a shim that dies leaves its containers to process 1. */
async function endShims(paths: ContainerdPaths): Promise<void> {
  const cgroups = new Set<string>();
  const gone = await waitUntil(async () => {
    const shims = await findShims(paths.socket);
    if (shims.length === 0) return true;
    const children = await findChildren(new Set(shims));
    for (const pid of children) {
      for (const folder of await cgroupFolders(pid)) cgroups.add(folder);
      signalProcess(pid, "SIGKILL");
    }
    if (children.length === 0) { for (const pid of shims) signalProcess(pid, "SIGKILL"); }
    return false;
  }, 10_000);
  if (!gone) throw new Error(`Shims of ${paths.socket} do not end`);
  for (const folder of cgroups) await Deno.remove(folder).catch(() => {});
}

/** The cgroup folders of a container's process that are its own (their path ends in its id). */
async function cgroupFolders(pid: number): Promise<string[]> {
  const text = await Deno.readTextFile(`/proc/${pid}/cgroup`).catch(() => "");
  const folders: string[] = [];
  for (const line of text.split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(.+)$/.exec(line) ?? [];
    if (!path || !/\/[0-9a-f]{64}$/.test(path)) continue;
    const mount = controllers === "" ? "unified" : (controllers ?? "").replace(/^name=/, "");
    folders.push(`/sys/fs/cgroup/${mount}${path}`, `/sys/fs/cgroup${path}`);
  }
  return folders;
}

async function unmountBelow(dir: string): Promise<void> {
  const table = await Deno.readTextFile("/proc/self/mountinfo");
  const points = table.split("\n").map((line) => line.split(" ")[4] ?? "")
    .filter((point) => point.startsWith(`${dir}/`));
  // The latest mounts first: they lie above the earlier ones.
  for (const point of points.reverse()) await runCommand("umount", ["-l", point]);
}
