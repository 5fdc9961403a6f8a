import type { KubeObject } from "../../core/api/mod.ts";
import type { Tx } from "../../core/store/mod.ts";
import { REPLICA_SPACE } from "../../core/sync/mod.ts";
import type { ManifestFiles } from "./handler.ts";

/** Annotation of objects that come from a manifest on this node: `file`. The kubelet's own word. */
export const SOURCE_ANNOTATION = "kubernetes.io/config.source";
/** Annotation of an object from a manifest: the name of the file. */
export const MANIFEST_ANNOTATION = "skerry.dev/manifest";
/** Annotation of an object from a manifest: a hash of what the manifest says. The kubelet's own word. */
export const HASH_ANNOTATION = "kubernetes.io/config.hash";

/**
 * Whether an object of the node's store comes from a manifest on this node. An object of the hub
 * does not, whatever annotations somebody has given it there.
 */
export function isFromManifest(tx: Tx, object: KubeObject): boolean {
  const { annotations, uid = "" } = object.metadata;
  return annotations?.[SOURCE_ANNOTATION] === "file" && tx.row(REPLICA_SPACE, uid) === undefined;
}

/**
 * Whether the manifest that an object of the store comes from is there and cannot be read: nobody
 * knows what it says now, so nothing of it ends or changes.
 */
export function isUnreadable(files: ManifestFiles, object: KubeObject): boolean {
  const file = object.metadata.annotations?.[MANIFEST_ANNOTATION] ?? "";
  return files.has(file) && files.get(file) === undefined;
}
