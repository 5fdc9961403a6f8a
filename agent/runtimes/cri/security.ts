import type { MessageInitShape } from "@bufbuild/protobuf";
import type { SecurityContext } from "../runtime.ts";
import {
  type LinuxContainerSecurityContextSchema,
  type LinuxSandboxSecurityContextSchema,
  NamespaceMode,
  type NamespaceOptionSchema,
  SecurityProfile_ProfileType as ProfileType,
  type SecurityProfileSchema,
  SupplementalGroupsPolicy,
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
    ...toGroups(from),
    ...toUser(from),
    ...toProfiles(from),
    ...toSeLinux(from),
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
    ...toGroups(from),
    noNewPrivs: from.noNewPrivileges ?? false,
    maskedPaths: [...from.maskedPaths ?? (privileged ? [] : MASKED_PATHS)],
    readonlyPaths: [...from.readonlyPaths ?? (privileged ? [] : READONLY_PATHS)],
    ...toUser(from),
    ...toProfiles(from),
    ...toSeLinux(from),
    apparmorProfile: toApparmorName(from.apparmorProfile),
  };
}

function toNamespaces(from: SecurityContext): MessageInitShape<typeof NamespaceOptionSchema> {
  const pod = (onHost: boolean | undefined): NamespaceMode =>
    onHost ? NamespaceMode.NODE : NamespaceMode.POD;
  const ownPid = !from.hostPid && !from.sharePid;
  const namespaces = {
    network: pod(from.hostNetwork),
    pid: ownPid ? NamespaceMode.CONTAINER : pod(from.hostPid),
    ipc: pod(from.hostIpc),
  };
  if (from.targetContainerId === undefined) return namespaces;
  return { ...namespaces, pid: NamespaceMode.TARGET, targetId: from.targetContainerId };
}

interface Groups {
  supplementalGroups: bigint[];
  supplementalGroupsPolicy: SupplementalGroupsPolicy;
}

function toGroups({ supplementalGroups = [], supplementalGroupsPolicy }: SecurityContext): Groups {
  return {
    supplementalGroups: supplementalGroups.map(BigInt),
    supplementalGroupsPolicy: supplementalGroupsPolicy === "Strict"
      ? SupplementalGroupsPolicy.Strict
      : SupplementalGroupsPolicy.Merge,
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

function toSeLinux({ seLinux }: SecurityContext): { selinuxOptions?: NonNullable<typeof seLinux> } {
  return seLinux ? { selinuxOptions: seLinux } : {};
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

/** The profile's name in the form that CRI had before it had `SecurityProfile`. */
function toApparmorName(text: string | undefined): string {
  if (text === undefined || text === "") return "";
  if (text === "RuntimeDefault") return "runtime/default";
  return text === "Unconfined" ? "unconfined" : `localhost/${text.replace(/^localhost\//, "")}`;
}
