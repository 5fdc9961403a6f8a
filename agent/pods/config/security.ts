import type { Container, Pod } from "../../../core/api/mod.ts";
import { AppError } from "../../../core/base/mod.ts";
import type { SecurityContext } from "../../runtimes/mod.ts";
import { APPARMOR_ANNOTATION } from "../policy/support.ts";

interface Profile {
  type?: string;
  localhostProfile?: string;
}

/** Where a kubelet looks for seccomp profiles; what writes profiles to nodes puts them there. */
export const SECCOMP_DIR = "/var/lib/kubelet/seccomp";

/** The user that an image says its containers run as. */
export interface ImageUser {
  readonly uid?: number;
  readonly user?: string;
}

/**
 * The security context of the pod's sandbox: namespaces, groups and the pod's own user.
 *
 * @throws {AppError} Invalid for a profile that leads out of its folder
 */
export function sandboxSecurity(pod: Pod, seccompDir = SECCOMP_DIR): SecurityContext {
  const { spec } = pod;
  const context = spec.securityContext ?? {};
  const privileged = [...spec.containers, ...(spec.initContainers ?? [])].some((one) =>
    one.securityContext?.privileged === true
  );
  return {
    ...shared(pod),
    ...numeric("runAsUser", context.runAsUser),
    // The runtime takes no group without a user.
    ...(context.runAsUser === undefined ? {} : numeric("runAsGroup", context.runAsGroup)),
    ...seccomp(context.seccompProfile, seccompDir),
    ...seLinux(context["seLinuxOptions"]),
    // A privileged container needs a privileged sandbox around it.
    ...(privileged ? { privileged } : {}),
  };
}

/**
 * The security context of one container; its own words win over the pod's.
 *
 * @throws {AppError} Invalid for a profile that leads out of its folder
 */
export function containerSecurity(
  pod: Pod,
  container: Container,
  options: { readonly image?: ImageUser; readonly seccompDir?: string | undefined } = {},
): SecurityContext {
  const { image = {}, seccompDir = SECCOMP_DIR } = options;
  const context = container.securityContext ?? {};
  const base = pod.spec.securityContext ?? {};
  const capabilities = context.capabilities as { add?: string[]; drop?: string[] } | undefined;
  return {
    ...shared(pod),
    ...user(context.runAsUser ?? base.runAsUser, context.runAsGroup ?? base.runAsGroup, image),
    ...(context.readOnlyRootFilesystem === true ? { readOnlyRootFilesystem: true } : {}),
    ...(context.privileged === true ? { privileged: true } : {}),
    ...(context.allowPrivilegeEscalation === false ? { noNewPrivileges: true } : {}),
    ...(capabilities?.add ? { addCapabilities: capabilities.add } : {}),
    ...(capabilities?.drop ? { dropCapabilities: capabilities.drop } : {}),
    ...seccomp(context.seccompProfile ?? base.seccompProfile, seccompDir),
    ...seLinux(context["seLinuxOptions"] ?? base["seLinuxOptions"]),
    ...appArmor(pod, container),
  };
}

/** A group alone is the image's user with that group, which the runtime wants to be told. */
function user(runAsUser: unknown, runAsGroup: unknown, image: ImageUser): SecurityContext {
  const own = numeric("runAsUser", runAsUser);
  if (typeof runAsGroup !== "number") return own;
  const group = numeric("runAsGroup", runAsGroup);
  if (typeof runAsUser === "number") return { ...own, ...group };
  if (image.uid === undefined && image.user) return { runAsUserName: image.user, ...group };
  return { runAsUser: image.uid ?? 0, ...group };
}

function shared(pod: Pod): SecurityContext {
  const { spec } = pod;
  const context = spec.securityContext ?? {};
  const groups = (context.supplementalGroups as number[] | undefined) ?? [];
  const fsGroup = context.fsGroup;
  const all = typeof fsGroup === "number" ? [...groups, fsGroup] : groups;
  return {
    ...(all.length > 0 ? { supplementalGroups: all } : {}),
    ...(context.supplementalGroupsPolicy === "Strict"
      ? { supplementalGroupsPolicy: "Strict" }
      : {}),
    ...(spec.hostNetwork ? { hostNetwork: true } : {}),
    ...(spec.hostPID ? { hostPid: true } : {}),
    ...(spec.hostIPC ? { hostIpc: true } : {}),
    ...(spec.shareProcessNamespace === true ? { sharePid: true } : {}),
  };
}

function numeric(name: "runAsUser" | "runAsGroup", value: unknown): SecurityContext {
  return typeof value === "number" ? { [name]: value } : {};
}

function seccomp(value: unknown, dir: string): SecurityContext {
  const profile = value as Profile | undefined;
  if (!profile?.type) return {};
  if (profile.type !== "Localhost") return { seccompProfile: profile.type };
  const { localhostProfile: path = "" } = profile;
  if (path === "" || path.startsWith("/") || path.split("/").includes("..")) {
    throw new AppError(
      "Invalid",
      `seccompProfile.localhostProfile ${JSON.stringify(path)} must be a path below ${dir}`,
    );
  }
  return { seccompProfile: `localhost/${dir}/${path}` };
}

/** The container's own label wins as a whole. */
function seLinux(options: unknown): Pick<SecurityContext, "seLinux"> {
  return options ? { seLinux: options } : {};
}

/** The container's own profile, its annotation's, the pod's. */
function appArmor(pod: Pod, container: Container): SecurityContext {
  const own = container.securityContext?.["appArmorProfile"] as Profile | undefined;
  const base = pod.spec.securityContext?.["appArmorProfile"] as Profile | undefined;
  const profile = own ??
    annotated(pod.metadata.annotations?.[`${APPARMOR_ANNOTATION}${container.name}`]) ?? base;
  if (!profile?.type) return {};
  if (profile.type !== "Localhost") return { apparmorProfile: profile.type };
  return { apparmorProfile: `localhost/${profile.localhostProfile ?? ""}` };
}

function annotated(text: string | undefined): Profile | undefined {
  if (text === "runtime/default") return { type: "RuntimeDefault" };
  if (text === "unconfined") return { type: "Unconfined" };
  if (!text?.startsWith("localhost/")) return undefined;
  return { type: "Localhost", localhostProfile: text.slice("localhost/".length) };
}
