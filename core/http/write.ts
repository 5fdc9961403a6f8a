import {
  apiVersionOf,
  dropNulls,
  groupResource,
  invalidObject,
  isPodPart,
  type KubeObject,
  nodeAnnotationProblems,
  type PodPart,
  podPartProblems,
  pruneCustom,
  type ResourceDef,
  setDefaults,
  takePodPart,
  validateObject,
} from "../api/mod.ts";
import { AppError } from "../base/mod.ts";
import type { JsonObject } from "./body.ts";
import { fieldValidationOf } from "./query.ts";
import type { ResourceContext } from "./types.ts";

/**
 * Makes what a client sent ready to be stored: identity, unknown fields, defaults, validation.
 * @throws {AppError} BadRequest, Invalid
 */
export async function admitNew(context: ResourceContext, body: JsonObject): Promise<KubeObject> {
  const sent = await checkIncoming(context, body);
  const { object } = pruneCustom(context.resource, sent);
  context.subject.name = object.metadata.name;
  if (object.metadata.resourceVersion) {
    throw new AppError("BadRequest", "resourceVersion should not be set on objects to be created");
  }
  // What only the store gives; exported objects carry it along.
  for (const field of FIXED) if (field !== "namespace") delete object.metadata[field];
  if (isNamespace(context.resource)) {
    // Holds a deleted namespace until its contents are gone; whoever empties it takes it away.
    object["spec"] = { ...object["spec"], finalizers: ["kubernetes"] };
  }
  setDefaults(context.resource, object);
  throwProblems(context.resource, object);
  return object;
}

/**
 * Checks identity and fields of an object that came in a body, and completes `apiVersion`, `kind`
 * and `namespace` from the URL. Returns a copy.
 * @throws {AppError} BadRequest
 */
export async function checkIncoming(
  context: ResourceContext,
  body: JsonObject,
): Promise<KubeObject> {
  const { resource, name, namespace } = context;
  const apiVersion = apiVersionOf(resource);
  const sent: JsonObject = { apiVersion, kind: resource.kind, ...dropNulls(body) };
  if (sent.apiVersion !== apiVersion || sent.kind !== resource.kind) {
    throw new AppError(
      "BadRequest",
      `${sent.kind} in version "${sent.apiVersion}" cannot be handled as a ${resource.kind} ` +
        `in version "${apiVersion}"`,
    );
  }
  const meta = metadataOf(sent);
  if (namespace !== undefined && meta["namespace"] && meta["namespace"] !== namespace) {
    throw new AppError(
      "BadRequest",
      `the namespace of the provided object does not match the namespace sent on the request ` +
        `(${meta["namespace"]}, ${namespace})`,
    );
  }
  if (name !== "" && meta["name"] && meta["name"] !== name) {
    throw new AppError(
      "BadRequest",
      `the name of the object (${meta["name"]}) does not match the name on the URL (${name})`,
    );
  }
  (await checkFieldsOf(context))(sent as unknown as KubeObject);
  const metadata = {
    ...meta,
    name: meta["name"] || name,
    ...(namespace === undefined ? {} : { namespace }),
  };
  return { ...sent, metadata } as KubeObject;
}

function metadataOf(body: JsonObject): JsonObject {
  const metadata = body["metadata"] ?? {};
  if (typeof metadata !== "object" || Array.isArray(metadata)) {
    throw new AppError("BadRequest", "metadata: must be a JSON object");
  }
  return metadata;
}

/**
 * A check for unknown fields and wrong types by the request's `fieldValidation`: `Strict` throws,
 * `Warn` adds warnings. Wrong types always throw. Kinds without a schema pass.
 */
export async function checkFieldsOf(
  context: ResourceContext,
): Promise<(object: KubeObject) => void> {
  const mode = fieldValidationOf(context.url.searchParams);
  // Loaded on the first write: an agent that only answers reads never holds the schemas.
  const { checkFields } = await import("../api/schema/mod.ts");
  const { kind, version } = context.resource;
  return (object) => {
    const { unknown: undescribed, wrong } = checkFields(context.resource, object);
    const unknown = [...undescribed, ...pruneCustom(context.resource, object).unknown];
    const lead = `${kind} in version "${version}" cannot be handled as a ${kind}`;
    if (wrong.length > 0) throw new AppError("BadRequest", `${lead}: ${wrong.join(", ")}`);
    if (unknown.length === 0 || mode === "Ignore") return;
    const texts = unknown.map((field) => `unknown field "${field}"`);
    if (mode === "Strict") {
      throw new AppError("BadRequest", `${lead}: strict decoding error: ${texts.join(", ")}`);
    }
    for (const text of texts) if (!context.warnings.includes(text)) context.warnings.push(text);
  };
}

/**
 * Makes the changed form of `current` ready to be stored: what clients may not change comes from
 * `current`, then defaults and validation.
 * @throws {AppError} Conflict for another uid, BadRequest for another name, Invalid
 */
export function admitChange(
  context: ResourceContext,
  current: KubeObject,
  changed: KubeObject,
): KubeObject {
  const { resource } = context;
  const next = dropNulls(changed);
  const meta = metadataOf(next);
  const old = current.metadata;
  if (meta["uid"] && meta["uid"] !== old.uid) {
    throw new AppError(
      "Conflict",
      `Precondition failed: UID in precondition: ${meta["uid"]}, UID in object meta: ${old.uid}`,
    );
  }
  for (const field of ["name", "namespace"] as const) {
    if (meta[field] && meta[field] !== old[field]) {
      throw new AppError(
        "BadRequest",
        `metadata.${field}: the ${field} of an object cannot change (${old[field]} to ${
          meta[field]
        })`,
      );
    }
  }
  const metadata = { ...meta, ...fixedMetadata(old), name: old.name } as KubeObject["metadata"];
  if (!meta["resourceVersion"] && old.resourceVersion !== undefined) {
    metadata.resourceVersion = old.resourceVersion;
  }
  const part = partOf(context);
  if (part) return admitPart(context, { part, current, next: { ...next, metadata } });
  const { apiVersion, kind } = current;
  const { object } = pruneCustom(resource, { ...next, apiVersion, kind, metadata });
  if (context.attributes.subresource === "status") return object;
  if (isNamespace(resource)) {
    // Only `finalize` changes them.
    object["spec"] = { ...object["spec"], finalizers: current["spec"]?.finalizers };
  }
  // What an older build has stored gets the defaults of this one: they are no change.
  const before = dropNulls(current);
  setDefaults(resource, before);
  setDefaults(resource, object, before);
  throwProblems(resource, object, before);
  return object;
}

/** Which one part of a pod's spec a request changes, if it does. */
function partOf({ resource, attributes: { subresource } }: ResourceContext): PodPart | undefined {
  return groupResource(resource) === "pods" && isPodPart(subresource) ? subresource : undefined;
}

function admitPart(
  { resource }: ResourceContext,
  { part, current, next }: {
    readonly part: PodPart;
    readonly current: KubeObject;
    readonly next: KubeObject;
  },
): KubeObject {
  const object = structuredClone(takePodPart(part, current, next));
  setDefaults(resource, object);
  const problems = podPartProblems(part, object, current);
  if (problems.length > 0) throw invalidObject(resource, object.metadata.name, problems);
  return object;
}

const FIXED = [
  "namespace",
  "uid",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "generation",
] as const;

function fixedMetadata(old: KubeObject["metadata"]): Partial<KubeObject["metadata"]> {
  // `undefined` takes away what a client made up; JSON leaves it out.
  return Object.fromEntries(FIXED.map((field) => [field, old[field]]));
}

function isNamespace({ group, kind }: ResourceDef): boolean {
  return group === "" && kind === "Namespace";
}

function throwProblems(resource: ResourceDef, object: KubeObject, old?: KubeObject): void {
  const problems = validateObject(resource, object, old);
  // Walks members only once they are known to be what they should be.
  if (problems.length === 0) problems.push(...nodeAnnotationProblems(object, old));
  if (problems.length > 0) {
    const name = object.metadata.name || object.metadata.generateName || "";
    throw invalidObject(resource, name, problems);
  }
}
