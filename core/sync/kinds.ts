/** Of which kinds nodes are told, and how the hub comes by them. */
import {
  groupResource,
  type KubeObject,
  type ResourceDef,
  RESOURCES,
  VOLUME_LIST,
} from "../api/mod.ts";
import type { Selection } from "../store/mod.ts";
import { ENDPOINTS_LABEL } from "./interest.ts";
import type { ObjectKey } from "./object_key.ts";

/** Those that are watched as a whole. */
export const WATCHED = [
  RESOURCES.pods,
  RESOURCES.nodes,
  RESOURCES.wasmfunctions,
  RESOURCES.services,
  RESOURCES.endpointslices,
  RESOURCES.runtimeclasses,
] as const;

/** What pods and functions name. */
export const NAMED = [RESOURCES.configmaps, RESOURCES.secrets] as const;

/** What is followed by name where a node's own rights count. */
const FOLLOWED: readonly ResourceDef[] = [...NAMED, ...VOLUME_LIST];
const FOLLOWED_PREFIXES = FOLLOWED.map((resource) => `${groupResource(resource)}/`);

/** All kinds of which a node is sent those objects that concern it. */
export const NODE_KINDS: readonly ResourceDef[] = [...WATCHED, ...FOLLOWED];

/** Of EndpointSlices only those are of interest: whoever makes the views need not keep others. */
export const INTERESTING_SLICES: Selection = { labelSelector: ENDPOINTS_LABEL };

/** Whether an object is one of {@linkcode INTERESTING_SLICES}, if it is a slice. */
export function isInteresting({ metadata }: KubeObject): boolean {
  return metadata.labels?.[ENDPOINTS_LABEL] !== undefined;
}

/** Whether an object is of the kinds that are followed by name. */
export function isFollowed(key: ObjectKey): boolean {
  return FOLLOWED_PREFIXES.some((prefix) => key.startsWith(prefix));
}
