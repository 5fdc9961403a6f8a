import {
  type Container,
  type EndpointSlice,
  groupResource,
  type KubeObject,
  MIRROR_ANNOTATION,
  type Node,
  type Pod,
  RESOURCES,
  type Service,
  type Volume,
  type WasmFunction,
  wasmFunctionMatchesNode,
} from "../api/mod.ts";
import { type ClaimIndex, claimInterest, claimKeysOf } from "./claims.ts";
import { isName, keyOf, type ObjectKey } from "./object_key.ts";

/** What interest needs to know of the cluster. */
export interface InterestIndex extends ClaimIndex {
  node(name: string): Node | undefined;
  podsOf(node: string): readonly Pod[];
  functions(): readonly WasmFunction[];
  servicesOf(namespace: string): readonly Service[];
  /** Those with {@linkcode ENDPOINTS_LABEL}. */
  slicesOf(namespace: string): readonly EndpointSlice[];
}

/**
 * On a Service: nodes with pods in its namespace are told of its endpoints. Kubernetes writes a
 * Service's labels on its EndpointSlices.
 */
export const ENDPOINTS_LABEL = "skerry.dev/endpoints";

const FUNCTIONS = groupResource(RESOURCES.wasmfunctions);
const SLICES = groupResource(RESOURCES.endpointslices);
const RUNTIME_CLASSES = groupResource(RESOURCES.runtimeclasses);

/** Whose address every pod is told, whatever its namespace: Kubernetes' own. */
const MASTER_SERVICE = keyOf("services", "default", "kubernetes");

/**
 * What a node may see: its Node object, its pods and what they mount or take their environment and
 * pull secrets from, the claims of their volumes with the volumes that these are bound to and their
 * attachments to this node, the Services that their environment tells of, endpoints where a Service
 * asks for that, the functions placed on it and what they name. Pure. The same set filters
 * replication and authorises the node's reads and writes, so a node never sees another's secrets.
 * What a pod needs stands before it, so that it is there when the pod comes.
 *
 * Mirror pods are left out with all that they name: a node makes those itself, and could otherwise
 * give itself any secret by naming it in one.
 */
export function interestOf(node: string, index: InterestIndex): Set<ObjectKey> {
  const keys = new Set<ObjectKey>([keyOf("nodes", "", node)]);
  const pods = index.podsOf(node);
  const named = pods.flatMap(podInterest);
  if (named.length > 0) keys.add(MASTER_SERVICE);
  for (const namespace of serviceNamespaces(pods)) {
    for (const service of index.servicesOf(namespace)) {
      if (hasClusterIP(service)) keys.add(keyOf("services", namespace, service.metadata.name));
    }
    for (const { metadata: { name } } of index.slicesOf(namespace)) {
      keys.add(keyOf(SLICES, namespace, name));
    }
  }
  for (const key of named) {
    for (const one of claimInterest(key, node, index)) keys.add(one);
    keys.add(key);
  }
  const labels = index.node(node)?.metadata.labels ?? {};
  for (const fn of index.functions()) {
    if (!isRecord(fn.spec) || !wasmFunctionMatchesNode(fn, { name: node, labels })) continue;
    for (const key of functionInterest(fn)) keys.add(key);
  }
  return keys;
}

/** The namespaces whose Services the environment of these pods tells of. */
export function serviceNamespaces(pods: readonly Pod[]): Set<string> {
  const out = new Set<string>();
  for (const { metadata, spec } of pods) {
    if (metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) continue;
    if (spec?.enableServiceLinks !== false && metadata.namespace) out.add(metadata.namespace);
  }
  return out;
}

/** Whether a Service has an address of its own, which is what environments tell. */
export function hasClusterIP(service: KubeObject): boolean {
  const ip: unknown = isRecord(service.spec) ? service.spec["clusterIP"] : undefined;
  return typeof ip === "string" && ip !== "" && ip !== "None";
}

/** What a pod names, and the pod. What is malformed names nothing: one bad object must not stop a hub. */
export function podInterest(pod: Pod): ObjectKey[] {
  const { namespace, name, annotations } = pod.metadata;
  if (annotations?.[MIRROR_ANNOTATION] !== undefined) return [];
  const refs: Refs = { configMaps: [], secrets: [] };
  const spec: Pod["spec"] = isRecord(pod.spec) ? pod.spec : {} as Pod["spec"];
  const { containers, initContainers, ephemeralContainers } = spec;
  const { volumes, imagePullSecrets, runtimeClassName } = spec;
  for (const volume of records(volumes)) volumeInterest(volume as Partial<Volume>, refs);
  for (const container of [containers, initContainers, ephemeralContainers].flatMap(records)) {
    containerInterest(container as Partial<Container>, refs);
  }
  for (const ref of records(imagePullSecrets)) refs.secrets.push(ref["name"]);
  return [
    ...[runtimeClassName].filter(isName).map((ref) => keyOf(RUNTIME_CLASSES, undefined, ref)),
    ...refs.configMaps.filter(isName).map((ref) => keyOf("configmaps", namespace, ref)),
    ...refs.secrets.filter(isName).map((ref) => keyOf("secrets", namespace, ref)),
    ...claimKeysOf(pod),
    keyOf("pods", namespace, name),
  ];
}

/** Names as they stand in an object, whatever they are. */
interface Refs {
  readonly configMaps: unknown[];
  readonly secrets: unknown[];
}

function volumeInterest(volume: Partial<Volume>, refs: Refs): void {
  refs.configMaps.push(volume.configMap?.name);
  refs.secrets.push(volume.secret?.secretName);
  const projected = volume["projected"];
  for (const source of records(isRecord(projected) ? projected["sources"] : undefined)) {
    const { configMap, secret } = source as Partial<Record<string, { name?: unknown } | null>>;
    refs.configMaps.push(configMap?.name);
    refs.secrets.push(secret?.name);
  }
}

function containerInterest(container: Partial<Container>, refs: Refs): void {
  for (const { valueFrom } of records(container.env) as NonNullable<Container["env"]>) {
    refs.configMaps.push(valueFrom?.configMapKeyRef?.name);
    refs.secrets.push(valueFrom?.secretKeyRef?.name);
  }
  const sources = records(container.envFrom) as NonNullable<Container["envFrom"]>;
  for (const { configMapRef, secretRef } of sources) {
    refs.configMaps.push(configMapRef?.name);
    refs.secrets.push(secretRef?.name);
  }
}

/** A function and what it names. */
export function functionInterest(fn: WasmFunction): ObjectKey[] {
  const { namespace, name } = fn.metadata;
  const source: unknown = fn.spec?.source?.configMapRef?.name;
  return [
    keyOf(FUNCTIONS, namespace, name),
    ...(isName(source) ? [keyOf("configmaps", namespace, source)] : []),
  ];
}

/** What an object of the interest must not come without, and the object itself. */
export function needsOf(key: ObjectKey, object: KubeObject | undefined): ObjectKey[] {
  const [resource] = key.split("/");
  if (object && resource === "pods") return podInterest(object as Pod);
  if (object && resource === FUNCTIONS) return functionInterest(object as WasmFunction);
  return [key];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function records(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}
