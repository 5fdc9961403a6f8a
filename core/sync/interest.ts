import {
  type Container,
  type Node,
  type Pod,
  type Volume,
  type WasmFunction,
  wasmFunctionMatchesNode,
} from "../api/mod.ts";

/** Names one object of one resource: `pods/default/web`, `nodes//n1`. */
export type ObjectKey = string;

/** The {@linkcode ObjectKey} of an object. */
export function keyOf(resource: string, namespace: string | undefined, name: string): ObjectKey {
  return `${resource}/${namespace ?? ""}/${name}`;
}

/** What interest needs to know of the cluster. */
export interface InterestIndex {
  node(name: string): Node | undefined;
  podsOf(node: string): readonly Pod[];
  functions(): readonly WasmFunction[];
}

/** Pods with this annotation are the hub's picture of a node's own static pods. */
export const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";

/**
 * What a node may see: its Node object, its pods and what they mount or take their environment and
 * pull secrets from, the functions placed on it and what they name. Pure. The same set filters
 * replication and authorises the node's reads and writes, so a node never sees another's secrets.
 *
 * Mirror pods are left out with all that they name: a node makes those itself, and could otherwise
 * give itself any secret by naming it in one.
 */
export function interestOf(node: string, index: InterestIndex): Set<ObjectKey> {
  const keys = new Set<ObjectKey>([keyOf("nodes", "", node)]);
  for (const pod of index.podsOf(node)) {
    for (const key of podInterest(pod)) keys.add(key);
  }
  const labels = index.node(node)?.metadata.labels ?? {};
  for (const fn of index.functions()) {
    if (!wasmFunctionMatchesNode(fn, { name: node, labels })) continue;
    for (const key of functionInterest(fn)) keys.add(key);
  }
  return keys;
}

/** A pod and what it names. */
export function podInterest(pod: Pod): ObjectKey[] {
  const { namespace, name, annotations } = pod.metadata;
  if (annotations?.[MIRROR_ANNOTATION] !== undefined) return [];
  const keys = [keyOf("pods", namespace, name)];
  const configMap = (ref?: { name?: string }): void => {
    if (ref?.name) keys.push(keyOf("configmaps", namespace, ref.name));
  };
  const secret = (name?: string): void => {
    if (name) keys.push(keyOf("secrets", namespace, name));
  };
  const { containers, initContainers, volumes, imagePullSecrets } = pod.spec;
  for (const volume of volumes ?? []) volumeInterest(volume, configMap, secret);
  for (const container of [...containers ?? [], ...initContainers ?? []]) {
    containerInterest(container, configMap, secret);
  }
  for (const ref of (imagePullSecrets ?? []) as { name?: string }[]) secret(ref.name);
  return keys;
}

function volumeInterest(
  volume: Volume,
  configMap: (ref?: { name?: string }) => void,
  secret: (name?: string) => void,
): void {
  configMap(volume.configMap);
  secret(volume.secret?.secretName);
  const sources = volume["projected"]?.sources as
    | { configMap?: { name?: string }; secret?: { name?: string } }[]
    | undefined;
  for (const source of sources ?? []) {
    configMap(source.configMap);
    secret(source.secret?.name);
  }
}

function containerInterest(
  container: Container,
  configMap: (ref?: { name?: string }) => void,
  secret: (name?: string) => void,
): void {
  for (const { valueFrom } of container.env ?? []) {
    configMap(valueFrom?.configMapKeyRef);
    secret(valueFrom?.secretKeyRef?.name);
  }
  for (const { configMapRef, secretRef } of container.envFrom ?? []) {
    configMap(configMapRef);
    secret(secretRef?.name);
  }
}

/** A function and what it names. */
export function functionInterest(fn: WasmFunction): ObjectKey[] {
  const { namespace, name } = fn.metadata;
  const source = fn.spec.source?.configMapRef?.name;
  return [
    keyOf("wasmfunctions.skerry.dev", namespace, name),
    ...(source ? [keyOf("configmaps", namespace, source)] : []),
  ];
}
