/**
 * Whether a runtime makes cgroups through systemd, by its configuration as CRI `Status` tells it:
 * JSON of containerd, TOML of CRI-O. What cannot be read is taken for "no", containerd's default.
 */
export function usesSystemd(config: string | undefined): boolean {
  if (config === undefined) return false;
  if (/^\s*cgroup_manager\s*=\s*"systemd"/m.test(config)) return true;
  try {
    const { containerd } = JSON.parse(config) as { containerd?: Containerd };
    const name = containerd?.defaultRuntimeName ?? "runc";
    return containerd?.runtimes?.[name]?.options?.SystemdCgroup === true;
  } catch {
    return false;
  }
}

interface Containerd {
  readonly defaultRuntimeName?: string;
  readonly runtimes?: Readonly<
    Record<string, { readonly options?: { readonly SystemdCgroup?: boolean } }>
  >;
}
