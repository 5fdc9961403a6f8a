import { AppError, type Ms, type Random, toTime } from "../base/mod.ts";
import { apiVersionOf, groupResource, type KubeObject, type ResourceDef } from "../api/mod.ts";
import { copyObject, deepEqual } from "./json.ts";
import { conflict, modified } from "./messages.ts";

/** Kubernetes' alphabet for generated names: no vowels, and nothing that is read as another. */
const NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
/** A generated name is at most 63 characters, five of them the suffix. */
const MAX_GENERATED_BASE = 58;

/** What a create takes from outside. */
export interface CreateContext {
  readonly now: Ms;
  readonly uid: string;
  readonly random: Random;
}

/** `base`, cut to 58 characters, and five random characters of Kubernetes' alphabet. */
export function generateName(base: string, random: Random): string {
  let suffix = "";
  for (let i = 0; i < 5; i++) {
    suffix += NAME_ALPHABET.charAt(Math.floor(random() * NAME_ALPHABET.length));
  }
  return base.slice(0, MAX_GENERATED_BASE) + suffix;
}

/** The storage namespace of a reference: `""` for cluster-scoped resources. */
export function storageNamespace(resource: ResourceDef, namespace: string | undefined): string {
  if (!resource.namespaced) return "";
  if (namespace) return namespace;
  throw new AppError(
    "BadRequest",
    `${groupResource(resource)} are namespaced: name a namespace`,
  );
}

/**
 * What a create stores: a fresh copy with uid, creationTimestamp, generation and a name set, what
 * only a store may set removed, and `status` replaced by the kind's initial one.
 *
 * @throws {AppError} BadRequest for a missing name or namespace, or a resourceVersion
 */
export function prepareCreate(
  resource: ResourceDef,
  object: KubeObject,
  context: CreateContext,
): KubeObject {
  const copy = prepareWrite(resource, object);
  const meta = copy.metadata;
  if (meta.resourceVersion) {
    throw new AppError("BadRequest", "resourceVersion should not be set on objects to be created");
  }
  if (!meta.name) {
    if (!meta.generateName) {
      throw new AppError("BadRequest", "name or generateName is required");
    }
    meta.name = generateName(String(meta.generateName), context.random);
  }
  delete meta.resourceVersion;
  delete meta.deletionTimestamp;
  delete meta.deletionGracePeriodSeconds;
  delete meta.generation;
  meta.uid = context.uid;
  meta.creationTimestamp = toTime(context.now);
  if (resource.hasStatus) {
    meta.generation = 1;
    delete copy.status;
    const status = initialStatus(resource);
    if (status) copy.status = status;
  }
  return copy;
}

/** A copy with apiVersion and kind filled in and its namespace checked. */
export function prepareWrite(resource: ResourceDef, object: KubeObject): KubeObject {
  const { apiVersion, kind, ...rest } = copyObject(object);
  const meta = rest.metadata;
  if (resource.namespaced) storageNamespace(resource, meta.namespace);
  else if (meta.namespace) {
    throw new AppError(
      "BadRequest",
      `${groupResource(resource)} "${meta.name}": metadata.namespace is not allowed on this kind`,
    );
  } else delete meta.namespace;
  return {
    apiVersion: apiVersion ?? apiVersionOf(resource),
    kind: kind ?? resource.kind,
    ...rest,
  };
}

/** The status Kubernetes' registry gives a new object: pods are Pending, namespaces Active. */
function initialStatus(resource: ResourceDef): Record<string, unknown> | undefined {
  if (resource.group !== "") return undefined;
  if (resource.kind === "Pod") return { phase: "Pending" };
  if (resource.kind === "Namespace") return { phase: "Active" };
  return undefined;
}

/** What to do with an object that an update or a delete has changed. */
export type Outcome =
  | { readonly action: "keep" } // nothing changed
  | { readonly action: "store"; readonly object: KubeObject }
  | { readonly action: "remove" };

/**
 * What an update stores, given what `change` returned: system fields stay, the other part of
 * spec/status stays, `generation` follows `spec`.
 *
 * @throws {AppError} Conflict when `next` is of another version or uid; BadRequest when it is
 * named otherwise; Invalid when it adds finalizers to an object that is being deleted; NotFound
 * for the status of a kind without one
 */
export function planUpdate(
  resource: ResourceDef,
  current: KubeObject,
  next: KubeObject,
  subresource?: "status",
): Outcome {
  const given = copyObject(next);
  checkIdentity(resource, current, given);
  if (subresource === "status" && !resource.hasStatus) {
    throw new AppError("NotFound", `${groupResource(resource)} have no status subresource`);
  }
  const object = subresource === "status"
    ? withStatus(copyObject(current), given.status)
    : mergeUpdate(resource, current, given);
  if (deepEqual(object, current)) return { action: "keep" };
  return isGone(object) ? { action: "remove" } : { action: "store", object };
}

function checkIdentity(resource: ResourceDef, current: KubeObject, next: KubeObject): void {
  const { name, namespace, uid, resourceVersion } = current.metadata;
  const meta = next.metadata;
  if (meta.name !== name || (meta.namespace ?? namespace) !== namespace) {
    throw new AppError(
      "BadRequest",
      `the name of the object (${meta.namespace ?? ""}/${meta.name}) does not match ` +
        `${groupResource(resource)} "${name}"; an object cannot be renamed`,
    );
  }
  if (meta.uid && meta.uid !== uid) {
    throw conflict(
      resource,
      name,
      `Precondition failed: UID in precondition: ${meta.uid}, UID in object meta: ${uid}`,
    );
  }
  if (meta.resourceVersion && meta.resourceVersion !== resourceVersion) {
    throw modified(resource, name);
  }
}

const SYSTEM_FIELDS = [
  "namespace",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
] as const;

function mergeUpdate(resource: ResourceDef, current: KubeObject, given: KubeObject): KubeObject {
  const old = copyObject(current);
  const { apiVersion, kind, ...rest } = given;
  let object: KubeObject = {
    apiVersion: apiVersion ?? old.apiVersion,
    kind: kind ?? old.kind,
    ...rest,
  };
  for (const field of SYSTEM_FIELDS) {
    if (old.metadata[field] === undefined) delete object.metadata[field];
    else Object.assign(object.metadata, { [field]: old.metadata[field] });
  }
  if (resource.hasStatus) object = withStatus(object, old.status);
  if (resource.hasStatus && !deepEqual(object.spec, old.spec)) {
    object.metadata.generation = (old.metadata.generation ?? 0) + 1;
  }
  checkFinalizers(resource, old, object);
  return object;
}

function withStatus(object: KubeObject, status: unknown): KubeObject {
  if (status === undefined) delete object.status;
  else object.status = status;
  return object;
}

/** Nobody may hold back an object that is already on its way out. */
function checkFinalizers(resource: ResourceDef, old: KubeObject, object: KubeObject): void {
  if (old.metadata.deletionTimestamp === undefined) return;
  const before = old.metadata.finalizers ?? [];
  const added = (object.metadata.finalizers ?? []).filter((name) => !before.includes(name));
  if (added.length === 0) return;
  const message = `Forbidden: no new finalizers can be added if the object is being deleted, ` +
    `found new finalizers ${JSON.stringify(added)}`;
  throw new AppError(
    "Invalid",
    `${resource.kind} "${object.metadata.name}" is invalid: metadata.finalizers: ${message}`,
    { causes: [{ field: "metadata.finalizers", message, reason: "FieldValueForbidden" }] },
  );
}

/** Whether nothing holds back any more what is being deleted. */
export function isGone(object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds } = object.metadata;
  return deletionTimestamp !== undefined && (deletionGracePeriodSeconds ?? 0) === 0 &&
    !isHeld(object);
}

/** Whether finalizers hold the object; those of a namespace also stand in its spec. */
export function isHeld(object: KubeObject): boolean {
  if ((object.metadata.finalizers?.length ?? 0) > 0) return true;
  return object.kind === "Namespace" && object.apiVersion === "v1" &&
    (object.spec?.finalizers?.length ?? 0) > 0;
}
