import {
  groupResource,
  type KubeObject,
  type OwnerReference,
  RESOURCE_LIST,
  type ResourceDef,
  resourceOfKind,
} from "../../core/api/mod.ts";
import { isAppError, type Service } from "../../core/base/mod.ts";
import {
  type Action,
  createController,
  keyOf,
  splitKey,
  trigger,
  type View,
} from "../../core/control/mod.ts";
import type { PlaneContext } from "./context.ts";

/** Kubernetes' finalizers of the two slow kinds of deletion. */
export const FOREGROUND = "foregroundDeletion";
/** See {@linkcode FOREGROUND}. */
export const ORPHAN = "orphan";
/** Kinds that change often and own or are owned by nothing here: no view of them is kept. */
const SKIPPED = new Set(["events", "leases.coordination.k8s.io"]);

/** What is known of an owner. `unknown` when its kind is not served here. */
export type OwnerState = "there" | "leaving" | "gone" | "unknown";

/**
 * What becomes of an object with these owners. Pure. Only a set of owners of which every one is
 * certainly gone removes it; `leaving` is an owner that waits for its dependents (foreground).
 */
export function decideDependent(
  owners: readonly { readonly reference: OwnerReference; readonly state: OwnerState }[],
): { do: "keep" } | { do: "remove" } | { do: "drop"; uids: readonly string[] } {
  if (owners.length === 0) return { do: "keep" };
  const solid = owners.filter(({ state }) => state === "there" || state === "unknown");
  const leaving = owners.filter(({ state }) => state === "leaving");
  const gone = owners.filter(({ state }) => state === "gone").map(({ reference }) => reference.uid);
  if (solid.length === 0) return { do: "remove" };
  const drop = [...gone, ...leaving.map(({ reference }) => reference.uid)];
  return drop.length > 0 ? { do: "drop", uids: drop } : { do: "keep" };
}

/** Removes what nothing owns any more, and carries out foreground and orphan deletion. */
export function createGarbageCollector(context: PlaneContext): Service {
  const views = new Map<string, View>();
  for (const resource of RESOURCE_LIST) {
    const key = groupResource(resource);
    if (!SKIPPED.has(key)) views.set(key, context.views.of(resource));
  }
  const workKey = (resource: ResourceDef, object: KubeObject): string =>
    `${groupResource(resource)} ${keyOf(object)}`;
  const dependentsOf = (uid: string): { resource: ResourceDef; object: KubeObject }[] =>
    [...views.values()].flatMap((view) =>
      view.by("owners", uid).map((object) => ({ resource: view.resource, object }))
    );
  return createController({
    ...context,
    name: "garbage-collector",
    triggers: [...views.values()].map((view) =>
      trigger(view, (object, gone) => {
        const { uid = "", deletionTimestamp, ownerReferences = [] } = object.metadata;
        const keys = gone || deletionTimestamp !== undefined
          ? dependentsOf(uid).map((one) => workKey(one.resource, one.object))
          : [];
        if (deletionTimestamp !== undefined || ownerReferences.length > 0) {
          keys.push(workKey(view.resource, object));
        }
        // A dependent that goes may have been the last that its owner waited for.
        if (gone) keys.push(...ownerReferences.flatMap((owner) => ownerKey(object, owner)));
        return keys;
      })
    ),
    reconcile: async (key) => {
      const [kind = "", name = ""] = key.split(" ");
      const view = views.get(kind);
      const object = view?.get(name);
      if (!view || !object) return;
      const steps = object.metadata.deletionTimestamp !== undefined
        ? finish(view.resource, object)
        : await judge(view.resource, object);
      await context.actor.run(steps);
    },
  });

  function ownerKey(object: KubeObject, owner: OwnerReference): string[] {
    const resource = resourceOfKind(owner.apiVersion, owner.kind);
    if (!resource) return [];
    const { namespace = "" } = object.metadata;
    const name = resource.namespaced ? `${namespace}/${owner.name}` : owner.name;
    return [`${groupResource(resource)} ${name}`];
  }

  async function judge(resource: ResourceDef, object: KubeObject): Promise<Action[]> {
    const owners = [];
    for (const reference of object.metadata.ownerReferences ?? []) {
      owners.push({ reference, state: await stateOf(object, reference) });
    }
    const verdict = decideDependent(owners);
    if (verdict.do === "keep") return [];
    if (verdict.do === "drop") {
      return [{ do: "update", resource, object: withoutOwners(object, verdict.uids) }];
    }
    context.log.info("removing an object whose owners are gone", {
      kind: resource.kind,
      name: keyOf(object),
    });
    // A chain that is taken down in the foreground goes on so with what the object owns itself.
    const foreground = owners.some(({ state }) => state === "leaving") &&
      dependentsOf(object.metadata.uid ?? "").length > 0;
    const options = {
      propagationPolicy: foreground ? "Foreground" as const : "Background" as const,
    };
    return [{ do: "delete", resource, object, options }];
  }

  /** Asks the view, and the store itself before anything is taken for gone. */
  async function stateOf(object: KubeObject, owner: OwnerReference): Promise<OwnerState> {
    const resource = resourceOfKind(owner.apiVersion, owner.kind);
    if (!resource) return "unknown";
    const { namespace = "" } = object.metadata;
    const key = resource.namespaced ? `${namespace}/${owner.name}` : owner.name;
    let found = views.get(groupResource(resource))?.get(key);
    if (found?.metadata.uid !== owner.uid) {
      try {
        found = await context.store.get({ resource, ...splitKey(key) });
      } catch (error) {
        if (!isAppError(error, "NotFound")) throw error;
        return "gone";
      }
    }
    if (found.metadata.uid !== owner.uid) return "gone";
    const leaving = found.metadata.deletionTimestamp !== undefined &&
      (found.metadata.finalizers ?? []).includes(FOREGROUND);
    return leaving ? "leaving" : "there";
  }

  /** The next step for an object that waits for what it owns. */
  function finish(resource: ResourceDef, object: KubeObject): Action[] {
    const { uid = "", finalizers = [] } = object.metadata;
    const dependents = dependentsOf(uid);
    if (finalizers.includes(ORPHAN)) {
      return [
        ...dependents.map((one): Action => ({
          do: "update",
          resource: one.resource,
          object: withoutOwners(one.object, [uid]),
        })),
        { do: "update", resource, object: withoutFinalizer(object, ORPHAN) },
      ];
    }
    if (!finalizers.includes(FOREGROUND)) return [];
    const blocking = dependents.some((one) =>
      one.object.metadata.ownerReferences?.some((reference) =>
        reference.uid === uid && reference.blockOwnerDeletion === true
      )
    );
    if (blocking) return [];
    return [{ do: "update", resource, object: withoutFinalizer(object, FOREGROUND) }];
  }
}

function withoutOwners(object: KubeObject, uids: readonly string[]): KubeObject {
  const { ownerReferences = [], ...metadata } = object.metadata;
  const left = ownerReferences.filter(({ uid }) => !uids.includes(uid));
  return {
    ...object,
    metadata: { ...metadata, ...(left.length > 0 ? { ownerReferences: left } : {}) },
  };
}

function withoutFinalizer(object: KubeObject, finalizer: string): KubeObject {
  const finalizers = (object.metadata.finalizers ?? []).filter((one) => one !== finalizer);
  return { ...object, metadata: { ...object.metadata, finalizers } };
}
