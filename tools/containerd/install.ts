/**
 * Installs what tests with real containers need, from Debian's packages. Does nothing when all is
 * there.
 *
 *     deno run -A tools/containerd/install.ts
 */
import { runCommand } from "./machine.ts";

/** What must be there, as any of these files, and the package that brings it. */
const NEEDED: readonly { readonly files: readonly string[]; readonly package: string }[] = [
  { files: ["/usr/bin/containerd", "/usr/local/bin/containerd"], package: "containerd" },
  { files: ["/usr/sbin/runc", "/usr/bin/runc", "/usr/local/sbin/runc"], package: "runc" },
  {
    files: ["/usr/lib/cni/bridge", "/opt/cni/bin/bridge"],
    package: "containernetworking-plugins",
  },
  { files: ["/bin/busybox", "/usr/bin/busybox"], package: "busybox-static" },
  { files: ["/sbin/ip", "/usr/sbin/ip", "/bin/ip"], package: "iproute2" },
  { files: ["/usr/sbin/iptables", "/sbin/iptables"], package: "iptables" },
  { files: ["/usr/bin/docker-registry"], package: "docker-registry" },
];

/** Installs the missing packages and returns their names. @throws {Error} when it cannot. */
export async function installContainerd(): Promise<string[]> {
  const missing: string[] = [];
  for (const entry of NEEDED) {
    const found = await Promise.all(entry.files.map((file) => Deno.stat(file).catch(() => null)));
    if (found.every((file) => file === null)) missing.push(entry.package);
  }
  if (missing.length === 0) return [];
  if (Deno.uid() !== 0) {
    throw new Error(`Run as root, or install by hand: apt-get install ${missing.join(" ")}`);
  }
  await apt(["update", "-q"]);
  await apt(["install", "-y", "-q", "--no-install-recommends", ...missing]);
  return missing;
}

async function apt(args: readonly string[]): Promise<void> {
  // Packages may not start services here: tests start their own containerd.
  const env = ["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"];
  const result = await runCommand("env", [...env, "apt-get", ...args]);
  if (!result.success) throw new Error(`apt-get ${args.join(" ")}: ${result.stderr}`);
}

if (import.meta.main) {
  try {
    const installed = await installContainerd();
    // deno-lint-ignore no-console -- tells the person what happened
    console.log(installed.length === 0 ? "nothing to install" : `installed ${installed.join(" ")}`);
  } catch (error) {
    // deno-lint-ignore no-console -- tells the person what to do
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
