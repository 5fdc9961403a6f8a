import { isIP } from "node:net";
import { type Bytes, bytes, type Clock } from "../../core/base/mod.ts";

/** What the node says of the machine it runs on. */
export interface MachineFacts {
  readonly hostname: string;
  readonly cpus: number;
  readonly memory: Bytes;
  /** `amd64`, `arm64`. */
  readonly architecture: string;
  readonly kernel: string;
  readonly osImage: string;
  readonly machineId: string;
  /** Changes with every boot: when it was, to the minute. */
  readonly bootId: string;
  /** Addresses that other machines may reach, the preferred one first. */
  readonly addresses: readonly string[];
}

const ARCHITECTURES: Record<string, string> = { x86_64: "amd64", aarch64: "arm64" };

/** Reads the machine. Needs read permission for the machine files and `sys` for the rest. */
export function loadMachineFacts(clock: Clock): MachineFacts {
  return {
    hostname: Deno.hostname(),
    cpus: navigator.hardwareConcurrency,
    memory: bytes(Deno.systemMemoryInfo().total),
    architecture: ARCHITECTURES[Deno.build.arch] ?? Deno.build.arch,
    kernel: Deno.osRelease(),
    osImage: osName(readText("/etc/os-release")),
    machineId: readText("/etc/machine-id").trim(),
    bootId: bootTime(clock.now(), Deno.osUptime()),
    addresses: loadAddresses(),
  };
}

/**
 * When the machine booted, to the minute: stands for the boot id, because Deno lets no sandboxed
 * process read `/proc`.
 */
export function bootTime(now: number, uptimeSeconds: number): string {
  return new Date(Math.round((now - uptimeSeconds * 1000) / 60_000) * 60_000).toISOString();
}

/** The machine's own addresses: no loopback, no link-local; IPv4 first, bridges of containers last. */
export function loadAddresses(): string[] {
  const rank = (item: Deno.NetworkInterfaceInfo): number =>
    (item.family === "IPv4" ? 0 : 2) +
    (/^(cni|docker|br-|veth|virbr|skerry)/.test(item.name) ? 1 : 0);
  return Deno.networkInterfaces()
    .filter((item) => !/^(127\.|::1$|fe80:|169\.254\.)/.test(item.address))
    .sort((a, b) => rank(a) - rank(b))
    .map((item) => item.address);
}

/** The pretty name in the text of `/etc/os-release`. */
export function osName(text: string): string {
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? "Linux";
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return ""; // A machine without this file has nothing to say there.
  }
}

/** The first address of each family, which is all that the status of a pod may name. */
export function onePerFamily(addresses: readonly string[]): string[] {
  return [4, 6].flatMap((family) => addresses.find((one) => isIP(one) === family) ?? []);
}
