import type { MessageInitShape } from "@bufbuild/protobuf";
import type { SecurityContext } from "../runtime.ts";
import {
  type LinuxContainerSecurityContextSchema,
  type LinuxSandboxSecurityContextSchema,
  NamespaceMode,
  type NamespaceOptionSchema,
  SecurityProfile_ProfileType as ProfileType,
  type SecurityProfileSchema,
} from "./gen/runtime_pb.ts";

/**
 * Paths of `/proc` and `/sys` that a container may not see, unless it is privileged. CRI runtimes
 * mask what the caller names and nothing else, so that these (Kubernetes' `procMount: Default`) must
 * be sent with every container.
 */
const MASKED_PATHS = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];

/** Paths that a container may only read, by the same rule. */
const READONLY_PATHS = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/** The sandbox's part of a pod's security settings. */
export function toSandboxSecurity(
  from: SecurityContext,
): MessageInitShape<typeof LinuxSandboxSecurityContextSchema> {
  return {
    namespaceOptions: toNamespaces(from),
    privileged: from.privileged ?? false,
    readonlyRootfs: from.readOnlyRootFilesystem ?? false,
    supplementalGroups: (from.supplementalGroups ?? []).map(BigInt),
    ...toUser(from),
    ...toProfiles(from),
  };
}

/** A container's security settings. */
export function toContainerSecurity(
  from: SecurityContext,
): MessageInitShape<typeof LinuxContainerSecurityContextSchema> {
  const privileged = from.privileged ?? false;
  return {
    capabilities: {
      addCapabilities: [...from.addCapabilities ?? []],
      dropCapabilities: [...from.dropCapabilities ?? []],
    },
    privileged,
    namespaceOptions: toNamespaces(from),
    runAsUsername: from.runAsUserName ?? "",
    readonlyRootfs: from.readOnlyRootFilesystem ?? false,
    supplementalGroups: (from.supplementalGroups ?? []).map(BigInt),
    noNewPrivs: from.noNewPrivileges ?? false,
    maskedPaths: [...from.maskedPaths ?? (privileged ? [] : MASKED_PATHS)],
    readonlyPaths: [...from.readonlyPaths ?? (privileged ? [] : READONLY_PATHS)],
    ...toUser(from),
    ...toProfiles(from),
  };
}

function toNamespaces(from: SecurityContext): MessageInitShape<typeof NamespaceOptionSchema> {
  const pod = (onHost: boolean | undefined): NamespaceMode =>
    onHost ? NamespaceMode.NODE : NamespaceMode.POD;
  const ownPid = !from.hostPid && !from.sharePid;
  return {
    network: pod(from.hostNetwork),
    pid: ownPid ? NamespaceMode.CONTAINER : pod(from.hostPid),
    ipc: pod(from.hostIpc),
  };
}

interface User {
  runAsUser?: { value: bigint };
  runAsGroup?: { value: bigint };
}

function toUser(from: SecurityContext): User {
  return {
    ...(from.runAsUser === undefined ? {} : { runAsUser: { value: BigInt(from.runAsUser) } }),
    ...(from.runAsGroup === undefined ? {} : { runAsGroup: { value: BigInt(from.runAsGroup) } }),
  };
}

type Profile = MessageInitShape<typeof SecurityProfileSchema>;

function toProfiles(from: SecurityContext): { seccomp?: Profile; apparmor?: Profile } {
  const seccomp = toProfile(from.seccompProfile);
  const apparmor = toProfile(from.apparmorProfile);
  return { ...(seccomp ? { seccomp } : {}), ...(apparmor ? { apparmor } : {}) };
}

function toProfile(text: string | undefined): Profile | undefined {
  if (text === undefined || text === "") return undefined;
  if (text === "RuntimeDefault") return { profileType: ProfileType.RuntimeDefault };
  if (text === "Unconfined") return { profileType: ProfileType.Unconfined };
  return { profileType: ProfileType.Localhost, localhostRef: text.replace(/^localhost\//, "") };
}
