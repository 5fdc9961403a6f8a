/** Capabilities of Linux 6, without `CAP_`, as `capabilities(7)` lists them. */
const KNOWN: ReadonlySet<string> = new Set([
  ...["AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE"],
  ...["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER"],
  ...["KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN"],
  ...["NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "PERFMON", "SETFCAP", "SETGID", "SETPCAP"],
  ...["SETUID", "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT"],
  ...["SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "SYSLOG"],
  "WAKE_ALARM",
]);

/** What is wrong with a list of capabilities: the runtime would leave out one that it does not know. */
export function capabilityProblem(names: unknown): string | undefined {
  const wrong = (Array.isArray(names) ? names : []).map(String)
    .find((name) => name.toUpperCase() !== "ALL" && !KNOWN.has(name.toUpperCase()));
  if (wrong === undefined) return undefined;
  const hint = /^CAP_/i.test(wrong) ? " (names have no CAP_ before them)" : "";
  return `there is no capability ${JSON.stringify(wrong)}${hint}`;
}
