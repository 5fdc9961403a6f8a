import { type KubeObject, type Pod, RESOURCES, type Toleration } from "../../core/api/mod.ts";
import { type Clock, ms, toTime } from "../../core/base/mod.ts";
import type { Tx } from "../../core/store/mod.ts";
import {
  type Complain,
  HASH_ANNOTATION,
  isFromManifest,
  isUnreadable,
  MANIFEST_ANNOTATION,
  type ManifestFiles,
  type ManifestHandler,
  manifestObjects,
} from "../manifests/mod.ts";
import { isPathPart } from "./paths.ts";

/** Options of {@linkcode StaticPods}. */
export interface StaticPodsOptions {
  readonly nodeName: string;
  readonly clock: Clock;
}

/**
 * Keeps the pods of the manifests in the store, so that this node runs them without any hub. A
 * changed manifest is a new pod (its UID follows from its content) and the old one ends; a manifest
 * that is gone ends its pod. A manifest that cannot be read ends nothing.
 */
export class StaticPods implements ManifestHandler {
  readonly resources = [RESOURCES.pods];
  readonly #options: StaticPodsOptions;

  constructor(options: StaticPodsOptions) {
    this.#options = options;
  }

  /** See {@linkcode ManifestHandler}. */
  apply(tx: Tx, files: ManifestFiles, complain: Complain): void {
    const { nodeName } = this.#options;
    const wanted = new Set<string>();
    for (const object of manifestObjects(files, RESOURCES.pods)) {
      const pod = staticPod(object, nodeName);
      const file = fileOf(pod);
      if (!isPathPart(pod.metadata.name)) {
        complain(file, `pod ${pod.metadata.name}: its name with the node's behind it is too long`);
        continue;
      }
      wanted.add(keyOf(pod));
      const problem = this.#ensure(tx, pod, files);
      if (problem !== undefined) complain(file, problem);
    }
    for (const object of tx.list(RESOURCES.pods)) {
      const pod = object as Pod;
      if (!isFromManifest(tx, pod) || pod.spec.nodeName !== nodeName) continue;
      if (wanted.has(keyOf(pod)) || isUnreadable(files, pod)) continue;
      this.#end(tx, pod);
    }
  }

  /** Puts a pod; says why not, when it may not be. */
  #ensure(tx: Tx, pod: Pod, files: ManifestFiles): string | undefined {
    const { namespace = "default", name, uid } = pod.metadata;
    const current = tx.get({ resource: RESOURCES.pods, namespace, name }) as Pod | undefined;
    if (current && !isFromManifest(tx, current)) {
      return `pod ${namespace}/${name} is already there and comes from the hub`;
    }
    if (current && current.metadata.uid === uid) {
      // One that ends keeps its name until it has; the next look brings it back.
      if (fileOf(current) !== fileOf(pod)) tx.put(RESOURCES.pods, moved(current, fileOf(pod)));
    } else if (!current || !isUnreadable(files, current)) {
      const creationTimestamp = toTime(this.#options.clock.now());
      tx.put(RESOURCES.pods, { ...pod, metadata: { ...pod.metadata, creationTimestamp } });
    }
    return undefined;
  }

  #end(tx: Tx, pod: Pod): void {
    if (pod.metadata.deletionTimestamp) return;
    const grace = pod.spec.terminationGracePeriodSeconds ?? 30;
    const deletionTimestamp = toTime(ms(this.#options.clock.now() + grace * 1000));
    const ending = { deletionTimestamp, deletionGracePeriodSeconds: grace };
    tx.put(RESOURCES.pods, { ...pod, metadata: { ...pod.metadata, ...ending } });
  }
}

/** Nobody but the node ends a static pod, as a kubelet has it: no taint does. */
const TOLERATES_ALL: Toleration = { operator: "Exists", effect: "NoExecute" };

/** The pod of a manifest as this node runs it: the node's name behind its own, UID from its content. */
function staticPod(object: KubeObject, nodeName: string): Pod {
  const { metadata, spec } = object as Pod;
  const uid = metadata.annotations?.[HASH_ANNOTATION] ?? "";
  return {
    ...object as Pod,
    metadata: { ...metadata, name: `${metadata.name}-${nodeName}`, uid, generation: 1 },
    spec: { ...spec, nodeName, tolerations: [...spec.tolerations ?? [], TOLERATES_ALL] },
  };
}

/** The same manifest under another file name. */
function moved(pod: Pod, file: string): Pod {
  const annotations = { ...pod.metadata.annotations, [MANIFEST_ANNOTATION]: file };
  return { ...pod, metadata: { ...pod.metadata, annotations } };
}

function fileOf(pod: Pod): string {
  return pod.metadata.annotations?.[MANIFEST_ANNOTATION] ?? "";
}

function keyOf(pod: Pod): string {
  return `${pod.metadata.namespace ?? "default"}/${pod.metadata.name}`;
}
