import {
  type KubeObject,
  type LabelSelector,
  matchLabelSelector,
  type ResourceDef,
} from "../../core/api/mod.ts";
import { type Action, controllerOf, controllerRef } from "../../core/control/mod.ts";
import { MIRROR_ANNOTATION } from "../../core/api/mod.ts";

/** What an owner gets of the objects in its namespace. */
export interface Claim<T extends KubeObject> {
  /** Controlled by the owner, those just adopted included. */
  readonly mine: readonly T[];
  /** Writes that adopt and release. */
  readonly actions: readonly Action[];
}

/**
 * Sorts out which objects belong to `owner`: its own that still match stay, its own that no longer
 * match are released, orphans that match are adopted. Pure. Source: `PodControllerRefManager`.
 */
export function claim<T extends KubeObject>(
  options: {
    owner: KubeObject;
    selector: LabelSelector | undefined;
    candidates: readonly T[];
    resource: ResourceDef;
  },
): Claim<T> {
  const { owner, selector, candidates, resource } = options;
  const mine: T[] = [];
  const actions: Action[] = [];
  const leaving = owner.metadata.deletionTimestamp !== undefined;
  for (const object of candidates) {
    // The picture of a static pod: its node made it, nobody else may take it or remove it.
    if (object.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) continue;
    const controller = controllerOf(object);
    const matches = matchesSafely(selector, object);
    if (controller?.uid === owner.metadata.uid) {
      if (matches || leaving || object.metadata.deletionTimestamp) mine.push(object);
      else {
        const references = object.metadata.ownerReferences?.filter(({ uid }) =>
          uid !== owner.metadata.uid
        );
        actions.push({ do: "update", resource, object: withOwners(object, references ?? []) });
      }
      continue;
    }
    if (controller || !matches || leaving || object.metadata.deletionTimestamp) continue;
    const references = [...object.metadata.ownerReferences ?? [], controllerRef(owner)];
    actions.push({ do: "update", resource, object: withOwners(object, references) });
    mine.push(object);
  }
  return { mine, actions };
}

function withOwners<T extends KubeObject>(
  object: T,
  ownerReferences: T["metadata"]["ownerReferences"] & object,
): T {
  return { ...object, metadata: { ...object.metadata, ownerReferences } };
}

/** A selector that cannot be read, or an empty one, selects nothing: an owner must not grab all. */
function matchesSafely(selector: LabelSelector | undefined, object: KubeObject): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  if (Object.keys(matchLabels).length + matchExpressions.length === 0) return false;
  try {
    return matchLabelSelector(selector, object.metadata.labels);
  } catch {
    return false;
  }
}
