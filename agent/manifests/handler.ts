import { apiVersionOf, type KubeObject, type ResourceDef } from "../../core/api/mod.ts";
import type { Tx } from "../../core/store/mod.ts";

/**
 * What one look at the folder found: the objects of each file by its name, `undefined` for a file
 * that is there and cannot be read. A file that is not named is not there.
 *
 * Each object is valid, has its namespace, Kubernetes' defaults and the annotations of this room,
 * and no uid, status or other field that only a store may set. No two have the same kind and name.
 */
export type ManifestFiles = ReadonlyMap<string, readonly KubeObject[] | undefined>;

/** Says what is wrong with a manifest. It is logged once for as long as it stays so. */
export type Complain = (file: string, problem: string) => void;

/** Keeps the objects of some kinds in the store as the manifests say. */
export interface ManifestHandler {
  /** The kinds that it takes; no two handlers take the same. */
  readonly resources: readonly ResourceDef[];
  /**
   * Makes the store as the manifests say, in one transaction with the other handlers. Called after
   * every look at the folder that succeeded, also when nothing has changed.
   */
  apply(tx: Tx, files: ManifestFiles, complain: Complain): void;
}

/** The objects of one kind in all files that could be read, by file name. */
export function manifestObjects(files: ManifestFiles, resource: ResourceDef): KubeObject[] {
  const apiVersion = apiVersionOf(resource);
  return [...files.values()].flatMap((objects) =>
    (objects ?? []).filter((one) => one.kind === resource.kind && one.apiVersion === apiVersion)
  );
}
