import { groupResource, type KubeObject, type ResourceDef, RESOURCES } from "../../core/api/mod.ts";
import { type Clock, toTime } from "../../core/base/mod.ts";
import type { Tx } from "../../core/store/mod.ts";
import {
  type Complain,
  contentHash,
  isFromManifest,
  isUnreadable,
  MANIFEST_ANNOTATION,
  type ManifestFiles,
  type ManifestHandler,
  manifestObjects,
} from "../manifests/mod.ts";
import { buryFunction, digUpFunction } from "./evidence.ts";

/** Options of {@linkcode StaticFunctions}. */
export interface StaticFunctionsOptions {
  readonly nodeName: string;
  readonly clock: Clock;
}

/**
 * Keeps the functions of the manifests in the store, with the ConfigMaps and Secrets beside them
 * (which static pods may read as well), so that this node serves them without any hub.
 *
 * Unlike a static pod's, an object's UID follows from what it is and not from what it says: a
 * changed function is an update, of which the old revision answers until the new one can.
 */
export class StaticFunctions implements ManifestHandler {
  readonly resources = [RESOURCES.wasmfunctions, RESOURCES.configmaps, RESOURCES.secrets];
  readonly #options: StaticFunctionsOptions;

  constructor(options: StaticFunctionsOptions) {
    this.#options = options;
  }

  /** See {@linkcode ManifestHandler}. */
  apply(tx: Tx, files: ManifestFiles, complain: Complain): void {
    for (const resource of this.resources) {
      const wanted = new Set<string>();
      for (const object of manifestObjects(files, resource)) {
        wanted.add(keyOf(object));
        this.#ensure(tx, { resource, object, files }, complain);
      }
      for (const object of tx.list(resource)) {
        if (!isFromManifest(tx, object) || wanted.has(keyOf(object))) continue;
        if (!isUnreadable(files, object)) end(tx, resource, object);
      }
    }
  }

  #ensure(
    tx: Tx,
    want: {
      readonly resource: ResourceDef;
      readonly object: KubeObject;
      readonly files: ManifestFiles;
    },
    complain: Complain,
  ): void {
    const { resource, object, files } = want;
    const { namespace = "default", name } = object.metadata;
    const ref = { resource, namespace, name };
    const current = tx.get(ref);
    if (current && !isFromManifest(tx, current)) {
      const file = object.metadata.annotations?.[MANIFEST_ANNOTATION] ?? name;
      const what = `${resource.kind} ${namespace}/${name}`;
      return complain(file, `${what} is already there and comes from the hub, which counts`);
    }
    const uid = contentHash([this.#options.nodeName, groupResource(resource), namespace, name]);
    if (current?.metadata.uid !== uid) {
      const creationTimestamp = toTime(this.#options.clock.now());
      const generation = resource.hasStatus ? { generation: 1 } : {};
      const metadata = { ...object.metadata, uid, creationTimestamp, ...generation };
      tx.put(resource, { ...object, metadata });
      digUpFunction(tx, uid);
    } else if (!isUnreadable(files, current)) {
      // Keeps the status, counts the generation up, and writes nothing when nothing is new.
      tx.update(ref, () => object);
    }
  }
}

/** The folder was read and names the object no more: that is the evidence by which it may end. */
function end(tx: Tx, resource: ResourceDef, object: KubeObject): void {
  const { namespace = "default", name, uid = "" } = object.metadata;
  if (resource === RESOURCES.wasmfunctions) buryFunction(tx, uid);
  tx.purge({ resource, namespace, name }, { uid });
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? "default"}/${metadata.name}`;
}
