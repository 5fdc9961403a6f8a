/** The socket that device plugins register at, in the folder of device plugins. */
export const KUBELET_SOCKET = "kubelet.sock";

/**
 * Deno grants unix sockets by their exact paths and plugins choose their names: each plugin is
 * reached through a hard link to its socket with one of these numbers, so there are at most as
 * many plugins; one that registers again needs two for a moment.
 */
export const DEVICE_SLOTS: readonly number[] = Array.from({ length: 32 }, (_, at) => at);

/** The path of a link to a plugin's socket. */
export function deviceSlot(folder: string, slot: number): string {
  return `${folder}/.skerry-${slot}.sock`;
}

/** Folders of the CDI specs of this machine, the one that wins last. */
export const CDI_FOLDERS: readonly string[] = ["/etc/cdi", "/var/run/cdi"];
