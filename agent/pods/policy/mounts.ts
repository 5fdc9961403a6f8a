import type { Container, VolumeMountStatus } from "../../../core/api/mod.ts";

/** Whether a mount with this `recursiveReadOnly` is so; `able` is whether the runtime can. */
export function isRecursive(mode: string | undefined, able: boolean): boolean {
  return mode === "Enabled" || (mode === "IfPossible" && able);
}

/** What a container's status says of its mounts; nothing when it has none. As a kubelet writes it. */
export function mountStatuses(
  { volumeMounts }: Container,
  able: boolean,
): { readonly volumeMounts?: VolumeMountStatus[] } {
  if (!volumeMounts?.length) return {};
  return {
    volumeMounts: volumeMounts.map(({ name, mountPath, readOnly, recursiveReadOnly: mode }) => ({
      name,
      mountPath,
      ...(readOnly
        ? { readOnly, recursiveReadOnly: isRecursive(mode, able) ? "Enabled" : "Disabled" }
        : {}),
    })),
  };
}
