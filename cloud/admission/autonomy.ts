import {
  groupOfPod,
  type KubeObject,
  type Pod,
  RESOURCES,
  wantsAutonomy,
  withAutonomy,
} from "../../core/api/mod.ts";
import { findObject, type Store } from "../../core/store/mod.ts";

/** Finds a NodeGroup by its name. */
export type FindGroup = (name: string) => Promise<KubeObject | undefined>;

/** Finds NodeGroups in a store. */
export function groupsIn(store: Pick<Store, "get">): FindGroup {
  return (name) => findObject(store, { resource: RESOURCES.nodegroups, name });
}

/**
 * The tolerations that a new pod is to have, when it or the NodeGroup that it is for asks for
 * autonomy; else `undefined`.
 */
export async function autonomousTolerations(
  pod: Pod,
  find: FindGroup,
): Promise<Pod["spec"]["tolerations"] | undefined> {
  if (wantsAutonomy(pod)) return withAutonomy(pod.spec.tolerations);
  const group = groupOfPod(pod);
  if (group === undefined || !wantsAutonomy(await find(group))) return undefined;
  return withAutonomy(pod.spec.tolerations);
}
