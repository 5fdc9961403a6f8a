import { SOURCE_ANNOTATION } from "../../manifests/mod.ts";
import type { PodView } from "./plan.ts";

/** Where the object comes from that has a pod's name now. */
export type ReplacedBy = "hub" | "manifest";

/**
 * Whether there is evidence that a pod whose object is not here is to end: the hub has said so, its
 * end was asked for while the object was there, or another pod has its name, which is unique in a
 * cluster. A manifest of this node tells of this node's own pods alone, of those without any hub.
 */
export function mayRemove(input: {
  readonly tombstone: boolean;
  readonly ending: boolean;
  readonly replacedBy: ReplacedBy | undefined;
  readonly view: PodView;
  /** Whether the store shows what the hub wants. */
  readonly synced: boolean;
}): boolean {
  const { tombstone, ending, replacedBy, view, synced } = input;
  if (replacedBy === "manifest" && isOfManifest(view)) return true;
  return synced && (tombstone || ending || replacedBy === "hub");
}

/** Whether what is left of a pod was made for a manifest of this node; also when nothing is. */
export function isOfManifest({ sandboxes, containers }: PodView): boolean {
  if (sandboxes.length === 0) return containers.length === 0;
  return sandboxes.every(({ annotations }) => annotations[SOURCE_ANNOTATION] === "file");
}
