import type { Pod } from "../../../core/api/mod.ts";

/** The group that a pod's volumes get. */
export function fsGroup(pod: Pod): number | undefined {
  const gid = pod.spec.securityContext?.fsGroup;
  return typeof gid === "number" ? gid : undefined;
}

/**
 * Who owns a pod's tokens: the user of all its containers; `undefined` when one names none, or they
 * differ (a kubelet's `FsUserFrom`).
 */
export function fsUser({ spec }: Pod): number | undefined {
  const containers = [
    ...spec.initContainers ?? [],
    ...spec.containers,
    ...spec.ephemeralContainers ?? [],
  ];
  const users = new Set(
    containers.map((one) => one.securityContext?.runAsUser ?? spec.securityContext?.runAsUser),
  );
  const [uid] = users;
  return users.size === 1 && typeof uid === "number" ? uid : undefined;
}
