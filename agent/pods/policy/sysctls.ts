import type { Pod } from "../../../core/api/mod.ts";

/** What a pod may set without harm to others, as Kubernetes has it. */
const SAFE: ReadonlySet<string> = new Set([
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ping_group_range",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.tcp_wmem",
]);

/** Settings that have a namespace, by prefix; others are the whole machine's. */
const NAMESPACED: readonly [prefix: string, space: "ipc" | "net"][] = [
  ["kernel.shm", "ipc"],
  ["kernel.msg", "ipc"],
  ["kernel.sem", "ipc"],
  ["fs.mqueue.", "ipc"],
  ["net.", "net"],
];

interface Sysctl {
  readonly name?: string;
  readonly value?: string;
}

/** The pod's kernel settings by their dotted names. */
export function sysctlsOf(pod: Pod): Record<string, string> {
  const list = (pod.spec.securityContext?.sysctls ?? []) as Sysctl[];
  return Object.fromEntries(list.map(({ name = "", value = "" }) => [dotted(name), value]));
}

/** Why a pod may not have the kernel settings that it asks for; `undefined` when it may. */
export function sysctlProblem(pod: Pod, allowedUnsafe: readonly string[]): string | undefined {
  const { spec } = pod;
  for (const sysctl of Object.keys(sysctlsOf(pod))) {
    const space = NAMESPACED.find(([prefix]) => sysctl.startsWith(prefix))?.[1];
    if (!space) return `${sysctl} is the whole machine's`;
    if (space === "net" && spec.hostNetwork) return `${sysctl} is not allowed with hostNetwork`;
    if (space === "ipc" && spec.hostIPC) return `${sysctl} is not allowed with hostIPC`;
    const allowed = SAFE.has(sysctl) || allowedUnsafe.some((pattern) => covers(pattern, sysctl));
    if (!allowed) {
      return `${sysctl} is not on the safe list (agent option --allowed-unsafe-sysctls)`;
    }
  }
  return undefined;
}

/** Whether `net.core.*` or `kernel.msgmax` stands for a setting. */
function covers(pattern: string, sysctl: string): boolean {
  return pattern.endsWith("*")
    ? sysctl.startsWith(pattern.slice(0, -1))
    : dotted(pattern) === sysctl;
}

/** `net/ipv4/tcp_rmem` is the same as `net.ipv4.tcp_rmem`; then a dot stands for itself as a slash. */
function dotted(name: string): string {
  const first = /[./]/.exec(name)?.[0];
  if (first !== "/") return name;
  return name.replace(/[./]/g, (char) => char === "/" ? "." : "/");
}
