import type { Container, Pod } from "../../../core/api/mod.ts";
import type { SecurityContext } from "../../runtimes/mod.ts";

interface Profile {
  type?: string;
  localhostProfile?: string;
}

/** The security context of the pod's sandbox: namespaces, groups and the pod's own user. */
export function sandboxSecurity(pod: Pod): SecurityContext {
  const { spec } = pod;
  const context = spec.securityContext ?? {};
  const privileged = [...spec.containers, ...(spec.initContainers ?? [])].some((one) =>
    one.securityContext?.privileged === true
  );
  return {
    ...shared(pod),
    ...numeric("runAsUser", context.runAsUser),
    ...numeric("runAsGroup", context.runAsGroup),
    ...profile(context.seccompProfile as Profile | undefined),
    // A privileged container needs a privileged sandbox around it.
    ...(privileged ? { privileged } : {}),
  };
}

/** The security context of one container; its own words win over the pod's. */
export function containerSecurity(pod: Pod, container: Container): SecurityContext {
  const context = container.securityContext ?? {};
  const base = pod.spec.securityContext ?? {};
  const capabilities = context.capabilities as { add?: string[]; drop?: string[] } | undefined;
  return {
    ...shared(pod),
    ...numeric("runAsUser", context.runAsUser ?? base.runAsUser),
    ...numeric("runAsGroup", context.runAsGroup ?? base.runAsGroup),
    ...(context.readOnlyRootFilesystem === true ? { readOnlyRootFilesystem: true } : {}),
    ...(context.privileged === true ? { privileged: true } : {}),
    ...(context.allowPrivilegeEscalation === false ? { noNewPrivileges: true } : {}),
    ...(capabilities?.add ? { addCapabilities: capabilities.add } : {}),
    ...(capabilities?.drop ? { dropCapabilities: capabilities.drop } : {}),
    ...profile((context.seccompProfile ?? base.seccompProfile) as Profile | undefined),
  };
}

function shared(pod: Pod): SecurityContext {
  const { spec } = pod;
  const context = spec.securityContext ?? {};
  const groups = (context.supplementalGroups as number[] | undefined) ?? [];
  const fsGroup = context.fsGroup;
  const all = typeof fsGroup === "number" ? [...groups, fsGroup] : groups;
  return {
    ...(all.length > 0 ? { supplementalGroups: all } : {}),
    ...(spec.hostNetwork ? { hostNetwork: true } : {}),
    ...(spec.hostPID ? { hostPid: true } : {}),
    ...(spec.hostIPC ? { hostIpc: true } : {}),
    ...(spec.shareProcessNamespace === true ? { sharePid: true } : {}),
  };
}

function numeric(name: "runAsUser" | "runAsGroup", value: unknown): SecurityContext {
  return typeof value === "number" ? { [name]: value } : {};
}

function profile(value: Profile | undefined): SecurityContext {
  if (!value?.type) return {};
  if (value.type !== "Localhost") return { seccompProfile: value.type };
  return { seccompProfile: `localhost/${value.localhostProfile ?? ""}` };
}
