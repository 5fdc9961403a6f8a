import {
  groupResource,
  type KubeObject,
  type Pod,
  type ResourceDef,
  RESOURCES,
  VOLUME_RESOURCES,
} from "../api/mod.ts";
import { hasClusterIP, podInterest } from "./interest.ts";
import { isInteresting } from "./kinds.ts";
import { keyOf, type ObjectKey } from "./object_key.ts";

/** One change of one object. */
export interface Change {
  readonly resource: ResourceDef;
  readonly object: KubeObject | undefined;
  readonly previous: KubeObject | undefined;
}

/** Names of nodes that are looked at. */
export interface Audience {
  all(): Iterable<string>;
  /** Those that see an object. */
  watching(key: ObjectKey): Iterable<string>;
  /** Those whose pods are told of the Services of a namespace. */
  ofNamespace(namespace: string): Iterable<string>;
}

/** The nodes whose interest (`interestOf`) a change may alter. Pure. */
export function concernedBy(change: Change, audience: Audience): Iterable<string> {
  const { resource, object, previous } = change;
  const either = object ?? previous;
  if (!either) return [];
  const { namespace, name } = either.metadata;
  const differs = (part: (side: KubeObject) => unknown): boolean =>
    same(previous && part(previous)) !== same(object && part(object));
  switch (resource) {
    case RESOURCES.pods: {
      const [before, after] = [previous, object] as (Pod | undefined)[];
      if (before && after && samePod(before, after)) return [];
      return [before, after].map((pod) => pod?.spec?.nodeName).filter((one) =>
        typeof one === "string"
      );
    }
    case RESOURCES.nodes:
      return differs(({ metadata }) => metadata.labels) ? [name] : [];
    case RESOURCES.wasmfunctions:
      return differs((side) => side["spec"]) ? audience.all() : [];
    case RESOURCES.services:
      return differs(hasClusterIP) ? audience.ofNamespace(namespace ?? "") : [];
    case RESOURCES.endpointslices:
      return differs(isInteresting) ? audience.ofNamespace(namespace ?? "") : [];
    // They change seldom; what they lead to may be another one then.
    case VOLUME_RESOURCES.persistentvolumeclaims:
    case VOLUME_RESOURCES.persistentvolumes:
      return audience.watching(keyOf(groupResource(resource), namespace, name));
    default:
      return [];
  }
}

function samePod(before: Pod, after: Pod): boolean {
  return before.metadata.uid === after.metadata.uid &&
    before.spec?.nodeName === after.spec?.nodeName &&
    same(podInterest(before)) === same(podInterest(after));
}

function same(value: unknown): string {
  return JSON.stringify(value) ?? "";
}
