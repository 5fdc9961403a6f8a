import type { Pod } from "../../../core/api/mod.ts";
import { podContainers } from "../policy/roles.ts";

/** The group that a pod's volumes get. */
export function fsGroup(pod: Pod): number | undefined {
  const gid = pod.spec.securityContext?.fsGroup;
  return typeof gid === "number" ? gid : undefined;
}

/**
 * Who owns a pod's tokens: the user of all its containers; `undefined` when one names none, or they
 * differ (a kubelet's `FsUserFrom`).
 */
export function fsUser(pod: Pod): number | undefined {
  const ofPod = pod.spec.securityContext?.runAsUser;
  const users = new Set(
    podContainers(pod).map(({ container }) => container.securityContext?.runAsUser ?? ofPod),
  );
  const [uid] = users;
  return users.size === 1 && typeof uid === "number" ? uid : undefined;
}
